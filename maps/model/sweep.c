// SPDX-License-Identifier: GPL-2.0
#include <netinet/in.h>
#include <stdlib.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "lib/error.h"
#include "lib/text.h"
#include "model/flow_table.h"
#include "model/sweep.h"

#define PORTS 65536

void request_sweep(struct balancer *balancer)
{
	set_bits(&balancer->config->flags, CONFIG_SWEEP);
}

static bool has_nat_flows_beside(const struct configuration *config,
				 const struct config_service *service)
{
	for_each_service(other, config) {
		if (other != service && other->mode == MODE_NAT &&
		    other->vip.protocol == service->vip.protocol &&
		    same_address(&other->vip.address, &service->vip.address))
			return true;
	}
	return false;
}

bool takes_ports(const struct configuration *running, const struct configuration *wanted)
{
	for_each_service(service, wanted) {
		if (service->vip.port != ANY_PORT && !config_find(running, &service->vip) &&
		    has_nat_flows_beside(wanted, service))
			return true;
	}
	return false;
}

/* As the data path asks. */
static bool is_denied(const struct balancer *balancer, const struct address *source)
{
	struct deny_key key = { .length = 128, .prefix = *source };
	__u32 value;

	return !map_lookup(balancer->map[MAP_DENY], &key, &value);
}

/* The services of each port, however many there are: a bit for each protocol. */
static __u8 protocol_bit(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? 1 : 2;
}

static void list_ports(const struct configuration *config, __u8 *ports)
{
	for_each_service(service, config)
		ports[service->vip.port] |= protocol_bit(service->vip.protocol);
	ports[ANY_PORT] = 0;
}

/* The number in `config` of the service that has the flow's port, or config->count. */
static unsigned int service_of_port(const struct configuration *config, const __u8 *ports,
				    const struct flow *flow)
{
	unsigned int i = 0;

	if (!(flow->state & FLOW_NAT) || !(ports[flow->port] & protocol_bit(flow->client.protocol)))
		return config->count;
	while (i < config->count && (config->services[i].vip_number != flow->client.vip ||
				     config->services[i].vip.port != flow->port ||
				     config->services[i].vip.protocol != flow->client.protocol))
		i++;
	return i;
}

/* `ended` counts the living flows that give their port to a service, for each. */
static void sweep(struct balancer *balancer, const struct configuration *config, const __u8 *ports,
		  unsigned int *ended)
{
	bool has_denies = balancer->config->flags & CONFIG_DENY;
	__u32 now = tick_now();

	for (__u32 i = 0; i < FLOWS; i++) {
		const struct flow *flow = &balancer->flows[i];
		__u32 cookie = cookie_of(flow);
		struct flow copy;
		unsigned int service;

		if (!cookie)
			continue;
		service = service_of_port(config, ports, flow);
		if (service == config->count &&
		    !(has_denies && is_denied(balancer, &flow->client.peer)))
			continue;
		ended[service] += read_flow(balancer, i, now, &copy);
		end_flow(balancer, flow, cookie);
	}
}

/* Flows that a packet has begun by what it found before the change are there when no run of the
 * program is left that began before it. */
void sweep_flows(struct balancer *balancer, const struct configuration *config)
{
	unsigned int *ended = calloc(config->count + 1, sizeof(*ended));
	__u8 *ports = calloc(PORTS, sizeof(*ports));

	if (!(balancer->config->flags & CONFIG_SWEEP) || !ended || !ports || map_flows(balancer))
		goto cleanup;
	list_ports(config, ports);
	sweep(balancer, config, ports, ended);
	wait_for_programs();
	sweep(balancer, config, ports, ended);
	clear_bits(&balancer->config->flags, CONFIG_SWEEP);
	for (unsigned int i = 0; i < config->count; i++) {
		if (ended[i])
			warn("'%s': %u flow%s ended, whose port towards the backend it is",
			     text_of_vip(&config->services[i].vip).s, ended[i],
			     ended[i] == 1 ? "" : "s");
	}
cleanup:
	free(ended);
	free(ports);
}
