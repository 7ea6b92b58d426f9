// SPDX-License-Identifier: GPL-2.0
/*
 * Checks by programs. Who may write a configuration must not thereby run commands as root: so a
 * program is a file that root has put into a directory, it gets no arguments, and no privileges.
 */
#define _GNU_SOURCE /* clone */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/text.h"
#include "watch/program.h"

#define DIRECTORY "/etc/xdp-lb/checks.d"
#define AT_ONCE 16
#define MOST_WAITING 1024
#define NOBODY 65534
#define CANNOT_RUN 127 /* status */
#define STACK 65536 /* bytes */

static unsigned int running;
static struct attempt *waiting[MOST_WAITING];
static unsigned int waiting_count;

static bool is_roots(const char *path, mode_t type)
{
	struct stat status;

	return !lstat(path, &status) && (status.st_mode & S_IFMT) == type && !status.st_uid &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

static void path_of(const struct target *target, char *path, size_t size)
{
	snprintf(path, size, DIRECTORY "/%s", target->check.word);
}

/* Why the program is not run, or NULL. */
static const char *refusal(const char *path)
{
	if (access(path, F_OK))
		return "no such file in " DIRECTORY;
	if (!is_roots(DIRECTORY, S_IFDIR) || !is_roots(path, S_IFREG))
		return "not root's file, or others may write it or " DIRECTORY;
	return NULL;
}

/* Readable when this process has ended; the child has a copy. */
static int own_pidfd = -1;

/* It ends with its parent: a change of user would undo what is asked for before it. */
static bool drop_privileges(void)
{
	struct pollfd parent = { .fd = own_pidfd, .events = POLLIN };

	return !chdir("/") && !setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY) &&
	       !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_PDEATHSIG, SIGKILL) &&
	       !poll(&parent, 1, 0);
}

/* In the child. */
static int run(void *context)
{
	const struct target *target = ((const struct attempt *)context)->target;
	char path[PATH_MAX], vip[100], real[100], port[20];
	char *environment[] = { vip, real, port, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				NULL };
	char *arguments[] = { path, NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	path_of(target, path, sizeof(path));
	snprintf(vip, sizeof(vip), "VIP=%s", text_of_vip(&target->vip).s);
	snprintf(real, sizeof(real), "REAL=%s", text_of_address(&target->real.address).s);
	snprintf(port, sizeof(port), "PORT=%u", (unsigned int)__builtin_bswap16(target->at.port));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (!drop_privileges())
		return CANNOT_RUN;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	execve(path, arguments, environment);
	return CANNOT_RUN;
}

static void program_ended(struct io *io, __u32 events)
{
	struct attempt *attempt = owner_of(io, struct attempt, io);
	char fault[40];
	int status = 0;

	(void)events;
	if (waitpid(attempt->process, &status, WNOHANG) != attempt->process)
		return;
	attempt->process = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		attempt->end(attempt, NULL);
		return;
	}
	snprintf(fault, sizeof(fault), WIFEXITED(status) ? "status %d" : "ended by signal %d",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	attempt->end(attempt, fault);
}

/*
 * The first process of a PID namespace: with it ends, by the kernel, whatever it has begun, in
 * whatever session. Not by clone3(): RestrictNamespaces= of the unit does not let that pass.
 */
static void spawn(struct attempt *attempt)
{
	static char stack[STACK] __attribute__((aligned(16))); /* the child's is a copy */
	char path[PATH_MAX];
	const char *why;

	path_of(attempt->target, path, sizeof(path));
	why = refusal(path);
	if (why) {
		attempt->end(attempt, why);
		return;
	}
	if (own_pidfd < 0)
		own_pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	attempt->process = clone(run, stack + STACK, CLONE_NEWPID | CLONE_PIDFD | SIGCHLD, attempt,
				 &attempt->io.fd);
	if (attempt->process < 0) {
		attempt->process = 0;
		attempt->end(attempt, strerror(errno));
		return;
	}
	running++;
	attempt->is_running = true;
	attempt->io.ready = program_ended;
	if (loop_add(&attempt->io, EPOLLIN))
		attempt->end(attempt, strerror(errno));
}

/* Waits for its turn; its time runs meanwhile. */
void start_program(struct attempt *attempt)
{
	attempt->io.fd = -1;
	if (running < AT_ONCE) {
		spawn(attempt);
	} else if (waiting_count < MOST_WAITING) {
		attempt->is_waiting = true;
		waiting[waiting_count++] = attempt;
	} else {
		attempt->end(attempt, "too many programs wait for their turn");
	}
}

static void stop_waiting(const struct attempt *attempt)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < waiting_count; i++) {
		if (waiting[i] != attempt)
			waiting[kept++] = waiting[i];
	}
	waiting_count = kept;
}

static struct attempt *next_waiting(void)
{
	struct attempt *attempt = waiting_count ? waiting[0] : NULL;

	if (attempt) {
		stop_waiting(attempt);
		attempt->is_waiting = false;
	}
	return attempt;
}

void drop_program(struct attempt *attempt)
{
	struct attempt *next;

	if (attempt->is_waiting) {
		stop_waiting(attempt);
		return;
	}
	if (!attempt->is_running)
		return;
	if (attempt->process) {
		kill(attempt->process, SIGKILL);
		waitpid(attempt->process, NULL, 0);
	}
	if (attempt->io.fd >= 0) {
		loop_remove(&attempt->io);
		close(attempt->io.fd);
	}
	attempt->is_running = false;
	running--;
	next = next_waiting();
	if (next)
		spawn(next);
}
