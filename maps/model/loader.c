// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* unshare, memfd_create, pipe2 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "model/loader.h"

#define OBJECT "xdp_lb.bpf.o"
#define BPFFS "/sys/fs/bpf"
#define PINS BPFFS "/tc/globals" /* where `ip` pins */
#define DEVICE "lo" /* each namespace has it */

/* A program's section by the command for it. */
enum command {
	LOAD = 'x',
	LOAD_FRAGS = 'f',
};

/* The object that was built with this helper: beside it, or where `make install` puts it. */
static bool find_object(char *path)
{
	static const char *const places[] = { "", "../lib/xdp-lb/" };
	char self[PATH_MAX - 64];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length <= 0)
		return false;
	self[length] = '\0';
	strrchr(self, '/')[1] = '\0';
	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, PATH_MAX, "%s%s" OBJECT, self, places[i]);
		if (!access(path, R_OK))
			return true;
	}
	return false;
}

/* In the child: namespaces whose bpffs has the shared maps, and nothing else. */
static bool enter_room(const struct balancer *from, const bool *is_shared)
{
	char path[PATH_MAX];

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", BPFFS, "bpf", 0, NULL) || mkdir(BPFFS "/tc", 0700) || mkdir(PINS, 0700))
		return false;
	for (int i = 0; i < MAPS; i++) {
		if (!is_shared[i])
			continue;
		snprintf(path, sizeof(path), PINS "/%s", map_layouts[i].name);
		if (object_pin(from->map[i], path))
			return false;
	}
	return true;
}

static bool run_ip(const char *object, const char *section, int output)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
		execlp("ip", "ip", "-force", "link", "set", "dev", DEVICE, "xdpgeneric", "obj",
		       object, "sec", section, NULL);
		dprintf(STDERR_FILENO, "ip: %s\n", strerror(errno));
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

/* The child loads what it is told to, until nobody tells it any more. Its namespaces keep the
 * program meanwhile. */
static void serve(const struct balancer *from, const bool *is_shared, int commands, int answers,
		  int output)
{
	char object[PATH_MAX], command;
	bool done = false;

	if (!find_object(object))
		dprintf(output, "there is no " OBJECT " beside xdp-lb\n");
	else if (!enter_room(from, is_shared))
		dprintf(output, "namespaces: %s\n", strerror(errno));
	else
		done = true;
	while (write(answers, &done, sizeof(done)) == sizeof(done) && done &&
	       read(commands, &command, sizeof(command)) == sizeof(command))
		done = run_ip(object, command == LOAD_FRAGS ? "xdp.frags" : "xdp", output);
	_exit(0);
}

/* The last line of what was said. */
static enum status say_failure(const struct loader *loader)
{
	char text[4096];
	ssize_t length = pread(loader->output, text, sizeof(text) - 1, 0);
	off_t size = lseek(loader->output, 0, SEEK_END);
	char *line;

	if (size > (off_t)sizeof(text) - 1)
		length = pread(loader->output, text, sizeof(text) - 1, size - sizeof(text) + 1);
	text[length > 0 ? length : 0] = '\0';
	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	line = strrchr(text, '\n');
	return fail(FAILED, "cannot load the program: %s; nothing was changed",
		    line ? line + 1 : text);
}

static enum status await_answer(const struct loader *loader)
{
	bool done = false;

	if (read(loader->answers, &done, sizeof(done)) == sizeof(done) && done)
		return DONE;
	return say_failure(loader);
}

enum status start_loader(struct loader *loader, const struct balancer *from, const bool *is_shared)
{
	int commands[2], answers[2];

	loader->child = -1;
	loader->output = memfd_create("xdp-lb", MFD_CLOEXEC);
	if (loader->output < 0 || pipe2(commands, O_CLOEXEC))
		return fail(FAILED, "cannot start a process: %s", strerror(errno));
	if (!pipe2(answers, O_CLOEXEC))
		loader->child = fork();
	if (loader->child < 0)
		return fail(FAILED, "cannot start a process: %s", strerror(errno));
	if (!loader->child) {
		close(commands[1]);
		close(answers[0]);
		serve(from, is_shared, commands[0], answers[1], loader->output);
	}
	close(commands[0]);
	close(answers[1]);
	loader->commands = commands[1];
	loader->answers = answers[0];
	return await_answer(loader);
}

/* The program on the device in the child's namespace. */
static int open_program(const struct loader *loader)
{
	struct place *places = NULL;
	struct netns netns;
	char path[40];
	int program = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", loader->child);
	if (netns_open(path, &netns))
		return -errno;
	if (find_places(&netns, &places) > 0)
		program = program_open_id(places[0].program);
	free(places);
	netns_close(&netns);
	return program;
}

enum status load_program(struct loader *loader, bool has_frags, int *program)
{
	char command = has_frags ? LOAD_FRAGS : LOAD;
	enum status status;

	if (write(loader->commands, &command, sizeof(command)) != sizeof(command))
		return fail(FAILED, "cannot load the program: %s", strerror(errno));
	status = await_answer(loader);
	if (status)
		return status;
	*program = open_program(loader);
	if (*program < 0)
		return fail(FAILED, "cannot open the program: %s", strerror(-*program));
	return DONE;
}

void end_loader(struct loader *loader)
{
	close(loader->commands);
	close(loader->answers);
	close(loader->output);
	waitpid(loader->child, NULL, 0);
}
