// SPDX-License-Identifier: GPL-2.0
/* help, version */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/help.h"

#ifndef VERSION
#define VERSION "1.0"
#endif

enum status show_help(const struct request *request)
{
	char words[120];

	(void)request;
	printf("xdp-lb [-j] [-n NETNS] [-d DEV] [-p PINDIR] OBJECT VERB ...\n\n"
	       "  -j         JSON\n"
	       "  -n NETNS   the balancer in this network namespace\n"
	       "  -d DEV     the balancer on this device\n"
	       "  -p PINDIR  the balancer whose maps are pinned there\n\n"
	       "VIP is ADDR:PORT/PROTO as 10.0.0.10:80/tcp or [fd00::10]:53/udp, port * is any;\n"
	       "REAL is ADDR4, ADDR4:PORT, ADDR6 or [ADDR6]:PORT. See xdp-lb(8).\n\n");
	for (unsigned int i = 0; i < command_count; i++) {
		snprintf(words, sizeof(words), "%s%s%s%s%s", commands[i].object,
			 commands[i].verb ? " " : "", commands[i].verb ? commands[i].verb : "",
			 *commands[i].arguments ? " " : "", commands[i].arguments);
		printf(strlen(words) < 42 ? "  %-42s%s\n" : "  %s\n%44s%s\n", words,
		       strlen(words) < 42 ? commands[i].help : "", commands[i].help);
	}
	return DONE;
}

enum status show_version(const struct request *request)
{
	(void)request;
	printf("xdp-lb %s, layout of maps %u\n", VERSION, LAYOUT_VERSION);
	return DONE;
}
