// SPDX-License-Identifier: GPL-2.0
/* save */
#include <stdio.h>

#include "cmd/config_line.h"
#include "cmd/difference.h"
#include "cmd/options.h"
#include "cmd/save.h"
#include "cmd/timeout.h"

enum status save_conf(struct view *view, const struct request *request)
{
	const struct conf *conf = &view->conf;

	(void)request;
	options.json = false; /* lines all the same */
	printf("# xdp-lb save: to be restored by xdp-lb apply\n");
	for (unsigned int i = 0; i < TIMEOUTS; i++)
		printf("%s\n", line_of_timeout(timeout_names[i], timeout_of(conf, i)).s);
	for (unsigned int i = 0; i < conf->count; i++) {
		printf("\n");
		say_new_service(&conf->services[i]);
	}
	if (conf->deny_count)
		printf("\n");
	for (unsigned int i = 0; i < conf->deny_count; i++)
		printf("%s\n", line_of_deny("add", &conf->denies[i].key).s);
	return DONE;
}
