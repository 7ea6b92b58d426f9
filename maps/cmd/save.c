// SPDX-License-Identifier: GPL-2.0
/* save */
#include <stdio.h>

#include "cmd/change.h"
#include "cmd/config_line.h"
#include "cmd/save.h"
#include "model/balancer.h"

static void save_service(const struct conf_service *service)
{
	printf("\n%s\n", line_of_service(service).s);
	for (unsigned int i = 0; i < service->count; i++)
		printf("%s\n", line_of_backend(service, &service->backends[i]).s);
	for (unsigned int i = 0; i < service->count; i++) {
		if (service->backends[i].state != STATE_UP)
			printf("%s\n", line_of_state(service, &service->backends[i]).s);
	}
	if (service->limit.pps || service->limit.flows)
		printf("%s\n", line_of_limit(service).s);
}

enum status save_conf(const struct request *request)
{
	struct balancer balancer;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, true);
	if (status)
		return status;
	printf("# xdp-lb save: to be restored by xdp-lb apply\n");
	printf("%s\n", line_of_timeout("tcp", conf.tcp_timeout).s);
	printf("%s\n", line_of_timeout("fin", conf.fin_timeout).s);
	printf("%s\n", line_of_timeout("udp", conf.udp_timeout).s);
	for (unsigned int i = 0; i < conf.count; i++)
		save_service(&conf.services[i]);
	if (conf.deny_count)
		printf("\n");
	for (unsigned int i = 0; i < conf.deny_count; i++)
		printf("%s\n", line_of_deny("add", &conf.denies[i].key).s);
	close_and_free(&balancer, &conf);
	return DONE;
}
