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
#include "model/reconcile.h"
#include "model/recover.h"

/* The services that the request asks for. */
static enum status select_services(struct view *view, const struct request *request,
				   unsigned int flags)
{
	struct endpoint any_port = { request->vip.address, ANY_PORT, request->vip.protocol };

	view->services = view->config.services;
	view->count = view->config.count;
	if (!request->has_vip)
		return DONE;
	view->count = 1;
	view->services = config_find(&view->config, &request->vip);
	if (!view->services && flags & ANY_PORT_TOO)
		view->services = config_find(&view->config, &any_port);
	if (!view->services)
		config_need(&view->config, &request->vip);
	return view->services ? DONE : FAILED;
}

/* The frame of all commands that show what runs. */
static enum status run_show(const struct command *command, const struct request *request)
{
	struct view view;
	enum status status;

	options.selection.is_for_change = command->flags & CHANGES;
	options.selection.may_be_older = command->flags & OLDER_TOO;
	status = open_and_load(&view.balancer, &view.config, command->flags & WITH_DENIES);
	if (status)
		return status;
	status = select_services(&view, request, command->flags);
	if (!status && command->flags & WITH_FLOWS)
		status = map_flows(&view.balancer);
	if (!status)
		status = command->show(&view, request);
	close_and_free(&view.balancer, &view.config);
	return status;
}

/* The frame of those that write to a map without a change of the configuration in memory. */
static enum status run_store(const struct command *command, const struct request *request)
{
	struct balancer balancer;
	struct configuration config;
	enum status status;

	options.selection.is_for_change = true;
	status = open_balancer(&options.selection, &balancer);
	if (status)
		return status;
	status = lock_balancer(&balancer);
	if (!status)
		status = recover_config(&balancer, &config, false, false);
	if (!status) {
		status = command->store(&balancer, request);
		reconcile(&balancer, &config, false);
		config_free(&config);
	}
	close_balancer(&balancer);
	return status;
}

static enum status run_words(struct words *words)
{
	const struct command *command = find_command(words);
	struct request request = { 0 };

	if (!command || !command->parse(words, &request))
		return WRONG;
	if (command->run)
		return command->run(&request);
	if (command->show)
		return run_show(command, &request);
	if (command->store)
		return run_store(command, &request);
	return run_change(&(struct change){ .change = command->change, .request = &request });
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

/* Writes then fail, instead of ending the helper. */
static volatile sig_atomic_t is_pipe_closed;

static void note_closed_pipe(int signal_number)
{
	(void)signal_number;
	is_pipe_closed = 1;
}

/* Whoever reads a pipe may close it when it has seen enough. */
static enum status finish_output(enum status status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	return status || is_pipe_closed ? status :
					  fail(FAILED, "cannot write: %s", strerror(errno));
}

/* Behind an object --help and -h are `help OBJECT`. */
static struct words command_words(char **word, int left)
{
	static char *help[2];
	const char *last = left ? word[left - 1] : "";

	if (options.instead)
		help[0] = (char *)options.instead;
	else if (left > 1 && (!strcmp(last, "--help") || !strcmp(last, "-h")))
		help[0] = (char *)"help";
	else
		return (struct words){ word, left };
	help[1] = word[0];
	return (struct words){ help, options.instead ? 1 : 2 };
}

int main(int argc, char **argv)
{
	struct words words;
	int first;

	if (!open_standard_files())
		return FAILED;
	signal(SIGPIPE, note_closed_pipe);
	raise_file_limit();
	first = parse_global_options(argc, argv);
	if (!first)
		return WRONG;
	words = command_words(argv + first, argc > first ? argc - first : 0);
	return finish_output(run_words(&words));
}
