// SPDX-License-Identifier: GPL-2.0
#include <unistd.h>

#include "cmd/options.h"

struct global_options options;

int parse_global_options(int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "+:jn:d:p:")) != -1) {
		if (option == ':') {
			fail(WRONG, "an argument expected after '-%c'", optopt);
			return 0;
		}
		if (option != 'j' && option != '?' && !*optarg) {
			fail(WRONG, "'': a name expected after '-%c'", option);
			return 0;
		}
		if (option == 'j') {
			options.json = true;
		} else if (option == 'n') {
			options.selection.netns = optarg;
		} else if (option == 'd') {
			options.selection.device = optarg;
		} else if (option == 'p') {
			options.selection.pins = optarg;
		} else {
			fail(WRONG, "'-%c': no such option (see xdp-lb help)", optopt);
			return 0;
		}
	}
	return optind;
}
