// SPDX-License-Identifier: GPL-2.0
/* help, version */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/help.h"
#include "lib/version.h"

#define HELP_COLUMN 44

bool parse_help(struct words *words, struct request *request)
{
	if (!words->left)
		return true;
	request->object = next_word(words, "a command");
	for (unsigned int i = 0; i < command_count; i++) {
		if (is_of_object(&commands[i], request->object))
			return no_more_words(words);
	}
	fail(WRONG, "'%.100s' is not a command (see xdp-lb help)", request->object);
	return false;
}

/* Two blanks or more are between the words and what they do, or a new line if they are long. */
static void print_command(const struct command *command)
{
	int room = HELP_COLUMN - 4;

	if ((int)strlen(command->words) > room)
		printf("  %s\n%*s%s\n", command->words, HELP_COLUMN, "", command->help);
	else
		printf("  %-*s  %s\n", room, command->words, command->help);
}

enum status show_help(const struct request *request)
{
	if (!request->object)
		printf("xdp-lb [-j] [-n NETNS] [-d DEV] [-p PINDIR] OBJECT VERB ...\n\n"
		       "  -j         JSON\n"
		       "  -n NETNS   the balancer in this network namespace\n"
		       "  -d DEV     the balancer on this device\n"
		       "  -p PINDIR  the balancer whose maps are pinned there\n\n"
		       "VIP is ADDR:PORT/PROTO as 10.0.0.10:80/tcp or [fd00::10]:53/udp, port * is "
		       "any;\n"
		       "REAL is ADDR4, ADDR4:PORT, ADDR6 or [ADDR6]:PORT. See xdp-lb(8).\n\n");
	for (unsigned int i = 0; i < command_count; i++) {
		if (!request->object || is_of_object(&commands[i], request->object))
			print_command(&commands[i]);
	}
	return DONE;
}

enum status show_version(const struct request *request)
{
	(void)request;
	printf("xdp-lb %s, layout of maps %u\n", VERSION, LAYOUT_VERSION);
	return DONE;
}
