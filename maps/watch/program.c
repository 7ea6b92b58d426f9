// SPDX-License-Identifier: GPL-2.0
/*
 * Checks by programs. Who may write a configuration must not thereby run commands as root: so a
 * program is a file that root has put into a directory, it gets no arguments, and no privileges.
 */
#define _GNU_SOURCE /* execvpe */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
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

static unsigned int running;
static struct attempt *waiting[MOST_WAITING];
static unsigned int waiting_count;

static bool is_roots(const char *path, mode_t type)
{
	struct stat status;

	return !lstat(path, &status) && (status.st_mode & S_IFMT) == type && !status.st_uid &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
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

/* It ends with `parent`: a change of user would undo what is asked for before it. */
static _Noreturn void run(const struct target *target, const char *path, pid_t parent)
{
	char vip[100], real[100], port[20];
	char *environment[] = { vip, real, port, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				NULL };
	char *arguments[] = { (char *)path, NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	snprintf(vip, sizeof(vip), "VIP=%s", text_of_vip(&target->vip).s);
	snprintf(real, sizeof(real), "REAL=%s", text_of_address(&target->real.address).s);
	snprintf(port, sizeof(port), "PORT=%u", (unsigned int)__builtin_bswap16(target->at.port));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	if (setpgid(0, 0) || chdir("/") || setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    getppid() != parent)
		_exit(CANNOT_RUN);
	execve(path, arguments, environment);
	_exit(CANNOT_RUN);
}

static void program_ended(struct io *io, __u32 events)
{
	struct attempt *attempt = owner_of(io, struct attempt, io);
	char fault[40];
	int status = 0;

	(void)events;
	if (waitpid(attempt->process, &status, WNOHANG) != attempt->process)
		return;
	kill(-attempt->process, SIGKILL); /* what it has left behind */
	attempt->process = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		attempt->end(attempt, NULL);
		return;
	}
	snprintf(fault, sizeof(fault), WIFEXITED(status) ? "status %d" : "ended by signal %d",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	attempt->end(attempt, fault);
}

static void spawn(struct attempt *attempt)
{
	pid_t own = getpid();
	char path[PATH_MAX];
	const char *why;

	snprintf(path, sizeof(path), DIRECTORY "/%s", attempt->target->check.word);
	why = refusal(path);
	if (why) {
		attempt->end(attempt, why);
		return;
	}
	attempt->process = fork();
	if (!attempt->process)
		run(attempt->target, path, own);
	if (attempt->process < 0) {
		attempt->process = 0;
		attempt->end(attempt, strerror(errno));
		return;
	}
	running++;
	attempt->is_running = true;
	attempt->io.fd = syscall(SYS_pidfd_open, attempt->process, 0);
	attempt->io.ready = program_ended;
	if (attempt->io.fd < 0 || loop_add(&attempt->io, EPOLLIN))
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
		kill(-attempt->process, SIGKILL);
		kill(attempt->process, SIGKILL); /* before it has a group of its own */
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
