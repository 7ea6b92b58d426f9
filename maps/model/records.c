// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "lib/clock.h"
#include "model/counters.h"
#include "model/records.h"

#define store(where, value) __atomic_store_n(&(where), value, __ATOMIC_RELEASE)

void write_new_record(struct balancer *balancer, const struct conf_service *service,
		      struct conf_backend *backend)
{
	struct backend *record = &balancer->backends[backend->number];

	zero_backend_stats(balancer, backend->number);
	backend->generation = record->generation;
	record->address = backend->real.address;
	record->port = backend->real.port;
	record->flags = backend->mac_given ? BACKEND_MAC_GIVEN : 0;
	record->drained = 0;
	record->mtu[0] = backend->mtu;
	record->hop[0] = backend->hop;
	store(record->service, service->number);
}

/* The hop that is not in force is written, then it comes in force, in one store. */
void update_record(struct balancer *balancer, const struct conf_service *service,
		   const struct conf_backend *backend)
{
	struct backend *record = &balancer->backends[backend->number];
	int hop = record->flags & BACKEND_HOP ? 1 : 0;
	__u16 flags = record->flags & ~BACKEND_MAC_GIVEN;

	if (backend->mac_given)
		flags |= BACKEND_MAC_GIVEN;
	if (memcmp(&record->hop[hop], &backend->hop, sizeof(backend->hop)) ||
	    record->mtu[hop] != backend->mtu) {
		record->hop[!hop] = backend->hop;
		record->mtu[!hop] = backend->mtu;
		flags ^= BACKEND_HOP;
	}
	if (record->flags != flags)
		store(record->flags, flags);
	if (record->service != service->number)
		store(record->service, service->number);
}

void sync_records(struct balancer *balancer, const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			const struct conf_backend *backend = &service->backends[j];
			struct backend *record = &balancer->backends[backend->number];
			bool is_draining = backend->state == STATE_DRAINING;

			if (record->generation != backend->generation)
				store(record->generation, backend->generation);
			if (is_draining != !!record->drained)
				store(record->drained, is_draining ? second_now() : 0);
		}
	}
}

/* The new generation comes first: it ends the flows. Were we killed between the counters, packets
 * would be counted twice, but never be lost. */
static void free_record(struct balancer *balancer, __u32 number)
{
	struct backend *record = &balancer->backends[number];
	__u16 generation = record->generation + 1;

	store(record->generation, generation);
	if (record->service && record->service <= MAX_SERVICES)
		retire_backend_stats(balancer, number, record->service);
	store(record->service, 0);
	memset(record, 0, sizeof(*record));
	store(record->generation, generation);
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
