/* SPDX-License-Identifier: GPL-2.0 */
/* The table of commands. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "cmd/request.h"
#include "lib/error.h"
#include "model/config.h"

struct command {
	const char *object;
	const char *verb; /* NULL: none */
	const char *arguments, *help;
	bool (*parse)(struct words *words, struct request *request);
	/* Changes the configuration. It may be called again, on a fresh copy. */
	enum status (*change)(struct conf *conf, const struct request *request);
	/* Does all else. With neither, the words are those of a file only. */
	enum status (*run)(const struct request *request);
	bool in_file; /* may be a line of a configuration file */
};

extern const struct command commands[];
extern const unsigned int command_count;

/* The command that the first words name, which are taken; NULL after saying that there is none. */
const struct command *find_command(struct words *words);

#endif
