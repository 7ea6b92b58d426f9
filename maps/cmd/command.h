/* SPDX-License-Identifier: GPL-2.0 */
/* The table of commands. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stddef.h>

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

enum command_flags {
	IN_FILE = 1, /* may be a line of a configuration file */
	WITH_DENIES = 2, /* show: the configuration has its denied prefixes */
	WITH_FLOWS = 4, /* show: the flow table is mapped */
	ANY_PORT_TOO = 8, /* show: VIP may be a port of a service of any port */
	OLDER_TOO = 32, /* show: the balancer may be of an older layout */
	CHANGES = 16, /* show: it does change something */
};

struct command {
	/* As `help` prints them. Object and verb come first: see name_length(). */
	const char *words, *help;
	bool (*parse)(struct words *words, struct request *request);

	/* What it does. In the table of commands run() counts before show() or store(), and these
	 * before change(), which is also what a line of a file does. */
	enum status (*change)(struct configuration *config, const struct request *request);
	/* Reads what runs and prints it. */
	enum status (*show)(struct view *view, const struct request *request);
	/* Writes to maps at once, with the lock held. */
	enum status (*store)(struct balancer *balancer, const struct request *request);
	enum status (*run)(const struct request *request);
	unsigned int flags;
};

extern const struct command commands[];
extern const unsigned int command_count;

/* How much of a command's words is its name: the object and, if there is one, the verb. */
size_t name_length(const struct command *command);
bool is_of_object(const struct command *command, const char *object);

/* The command that the first words name, which are taken; NULL after saying that there is none. */
const struct command *find_command(struct words *words);

#endif
