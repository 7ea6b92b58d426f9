// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <stddef.h>

#include "cmd/options.h"

struct global_options options;

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int wrong_option(int option, const char *word)
{
	if (option == ':')
		fail(WRONG, "expected an argument after '-%c'", optopt);
	else if (option == '?')
		fail(WRONG, "'%.100s' is not an option (see xdp-lb help)", word);
	else
		fail(WRONG, "'': expected a name after '-%c'", option);
	return 0;
}

int parse_global_options(int argc, char **argv)
{
	const char *word = "";
	int option, at = 1;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:jhn:d:p:", long_options, NULL)) != -1) {
		word = argv[at];
		at = optind;
		if (option == 'j')
			options.json = true;
		else if (option == 'h')
			options.instead = "help";
		else if (option == 'V')
			options.instead = "version";
		else if (option == ':' || option == '?' || !*optarg)
			return wrong_option(option, word);
		else if (option == 'n')
			options.selection.netns = optarg;
		else if (option == 'd')
			options.selection.device = optarg;
		else
			options.selection.pins = optarg;
	}
	return optind;
}
