// SPDX-License-Identifier: GPL-2.0
/* xdp-lb, the helper: see xdp-lb(8). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/change.h"
#include "cmd/command.h"
#include "cmd/options.h"
#include "cmd/request.h"
#include "cmd/words.h"
#include "lib/error.h"
#include "model/balancer.h"
#include "model/discover.h"

static enum status run_change(const struct command *command, const struct request *request)
{
	struct change change = { .change = command->change, .request = request };
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);

	if (status)
		return status;
	status = make_change(&balancer, &change);
	close_balancer(&balancer);
	return status;
}

static enum status run_words(struct words *words)
{
	const struct command *command = find_command(words);
	struct request request = { 0 };

	if (!command || !command->parse(words, &request))
		return WRONG;
	return command->run ? command->run(&request) : run_change(command, &request);
}

/* A table is an open file for each service that changes. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* So that no file that is opened later is taken for one of the standard ones. Writing to one that
 * was closed still fails. */
static bool open_standard_files(void)
{
	int file;

	do {
		file = open("/dev/null", O_RDONLY);
	} while (file >= 0 && file <= STDERR_FILENO);
	if (file >= 0)
		close(file);
	return file >= 0;
}

int main(int argc, char **argv)
{
	struct words words;
	enum status status;
	int first;

	if (!open_standard_files())
		return FAILED;
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "--version")))
		argv[1] += 2;
	first = parse_global_options(argc, argv);
	if (!first)
		return WRONG;
	words.word = argv + first;
	words.left = argc > first ? argc - first : 0;
	status = run_words(&words);
	if ((fflush(stdout) || ferror(stdout)) && !status)
		status = fail(FAILED, "cannot write: %s", strerror(errno));
	return status;
}
