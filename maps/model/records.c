// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "kernel/store.h"
#include "lib/clock.h"
#include "model/counters.h"
#include "model/least.h"
#include "model/records.h"

void write_new_record(struct balancer *balancer, const struct config_service *service,
		      struct config_backend *backend)
{
	const struct backend *record = &balancer->backends[backend->number];
	struct backend content = {
		.address = backend->real.address,
		.port = backend->real.port,
		.generation = record->generation,
		.flags = backend->mac_given ? BACKEND_MAC_GIVEN : 0,
		.mtu[0] = backend->mtu,
		.hop[0] = backend->hop,
	};

	zero_backend_stats(balancer, backend->number);
	forget_live(balancer, backend->number);
	backend->generation = record->generation;
	store_bytes(record, &content, sizeof(content));
	store(record->service, service->number);
}

/* The hop that is not in force is written, then it comes in force, in one store. */
void update_record(struct balancer *balancer, const struct config_service *service,
		   const struct config_backend *backend)
{
	const struct backend *record = &balancer->backends[backend->number];
	int hop = record->flags & BACKEND_HOP ? 1 : 0;
	__u16 flags = record->flags & ~BACKEND_MAC_GIVEN;

	if (backend->mac_given)
		flags |= BACKEND_MAC_GIVEN;
	if (memcmp(&record->hop[hop], &backend->hop, sizeof(backend->hop)) ||
	    record->mtu[hop] != backend->mtu) {
		store_bytes(&record->hop[!hop], &backend->hop, sizeof(backend->hop));
		store(record->mtu[!hop], backend->mtu);
		flags ^= BACKEND_HOP;
	}
	if (record->flags != flags) {
		stop_caching(balancer); /* `watch` looks at the generation */
		store(record->flags, flags);
	}
	if (record->service != service->number)
		store(record->service, service->number);
}

/* No flow of the backend is left, so none of its ports is taken. */
static void forget_ports(struct balancer *balancer, __u32 number)
{
	static const struct port_hints zero;
	static const struct address none;

	for (unsigned int source = 0; source <= MAX_POOL; source++) {
		if (source && same_address(&balancer->addresses[POOL_NUMBER(source)], &none))
			continue;
		store_bytes(&balancer->ports[hints_index(number, source)], &zero, sizeof(zero));
	}
}

/* Ends all flows of the backend, in one store. */
static void end_generation(struct balancer *balancer, __u16 number, __u16 generation)
{
	store(balancer->backends[number].generation, generation);
	forget_live(balancer, number);
	forget_ports(balancer, number);
}

void sync_records(struct balancer *balancer, const struct configuration *config)
{
	for_each_service(service, config) {
		for_each_backend(backend, service) {
			const struct backend *record = &balancer->backends[backend->number];
			bool is_draining = backend->state == STATE_DRAINING;

			if (record->generation != backend->generation)
				end_generation(balancer, backend->number, backend->generation);
			if (is_draining != !!record->drained)
				store(record->drained, is_draining ? second_now() : 0);
		}
	}
}

/* The new generation comes first: it ends the flows. Were we killed between the counters, packets
 * would be counted twice, but never be lost. */
static void free_record(struct balancer *balancer, __u32 number)
{
	const struct backend *record = &balancer->backends[number];
	struct backend empty = { .generation = record->generation + 1 };

	end_generation(balancer, number, empty.generation);
	if (record->service && record->service <= MAX_SERVICES)
		retire_backend_stats(balancer, number, record->service);
	store(record->service, 0);
	store_bytes(record, &empty, sizeof(empty));
}

void free_records(struct balancer *balancer, const struct used *used)
{
	static const struct address zero;

	for (unsigned int i = 1; i <= MAX_BACKENDS; i++) {
		const struct backend *record = &balancer->backends[i];

		if (!used->backend[i] &&
		    (record->service || !same_address(&record->address, &zero)))
			free_record(balancer, i);
	}
}
