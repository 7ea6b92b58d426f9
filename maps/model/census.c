// SPDX-License-Identifier: GPL-2.0
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "model/census.h"
#include "model/flow_table.h"
#include "model/least.h"
#include "model/read_table.h"
#include "model/recover.h"
#include "model/slots.h"

#define FIRST_ROOM 1024 /* places of sources; doubled when three quarters are taken */
#define MARGIN 4 /* ticks after which what is dead is so for every CPU */

void free_census(struct census *census)
{
	free(census->flows);
	free(census->sources);
	memset(census, 0, sizeof(*census));
}

/* FNV-1a: nobody gains by choosing addresses that meet here. */
static __u32 hash_of(const struct source_key *key)
{
	const unsigned char *byte = (const unsigned char *)key;
	__u32 hash = 2166136261U;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ byte[i]) * 16777619;
	return hash ^ hash >> 16;
}

/* The place of the source, or the free one that it gets. */
static struct source_flows *place_of(struct source_flows *sources, __u32 room,
				     const struct source_key *key)
{
	__u32 place = hash_of(key) & (room - 1);

	while (sources[place].key.service && memcmp(&sources[place].key, key, sizeof(*key)))
		place = (place + 1) & (room - 1);
	return &sources[place];
}

static bool grow(struct census *census)
{
	__u32 room = census->room ? 2 * census->room : FIRST_ROOM;
	struct source_flows *sources = calloc(room, sizeof(*sources));

	if (!sources)
		return false;
	for (__u32 i = 0; i < census->room; i++) {
		const struct source_flows *old = &census->sources[i];

		if (old->key.service)
			*place_of(sources, room, &old->key) = *old;
	}
	free(census->sources);
	census->sources = sources;
	census->room = room;
	return true;
}

static bool count_source(struct census *census, const struct flow *flow, __u32 service)
{
	struct source_key key = { .source = flow->client.peer, .service = service };
	struct source_flows *source;

	if (!is_ipv4(&key.source))
		key.source.word[2] = key.source.word[3] = 0;
	if (4 * (__u64)census->count >= 3 * (__u64)census->room && !grow(census))
		return false;
	source = place_of(census->sources, census->room, &key);
	census->count += !source->key.service;
	source->key = key;
	source->flows++;
	return true;
}

/* Whether no packet will find the flow: long enough dead for each CPU to see it so. */
static bool is_dead(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	return flow->backend > MAX_BACKENDS ||
	       flow->generation != balancer->backends[flow->backend].generation ||
	       is_past(now - MARGIN, flow->seen, idle_timeout(balancer->config, flow));
}

/* The port seems free again: a hint, as the flow is, too, for who looks at its record. */
static void retire(struct balancer *balancer, const struct flow *flow, __u32 cookie)
{
	const struct port_hints *hints = &balancer->ports[hints_index(flow->backend, flow->source)];
	__u16 port = ntohs(flow->port);
	bool is_nat = flow->state & FLOW_NAT;

	end_flow(balancer, flow, cookie);
	if (is_nat)
		clear_bits(&hints->taken[port / 32], 1U << port % 32);
}

/* Counts the flows, and frees the records of those that are dead. */
static bool count_all(struct balancer *balancer, struct census *census, struct live_count *live)
{
	__u32 now = tick_now();
	bool done = true;

	for (__u32 i = 0; i < FLOWS && done; i++) {
		__u32 cookie = cookie_of(&balancer->flows[i]);
		struct flow flow;
		__u16 service;

		if (!cookie)
			continue;
		if (is_dead(balancer, &balancer->flows[i], now)) {
			retire(balancer, &balancer->flows[i], cookie);
			census->retired++;
			continue;
		}
		count_live_flow(balancer, &balancer->flows[i], live);
		if (!read_flow(balancer, i, now, &flow))
			continue;
		census->flows[flow.backend]++;
		service = balancer->backends[flow.backend].service;
		if (service <= MAX_SERVICES && balancer->limits[service].conns)
			done = count_source(census, &flow, service);
	}
	return done;
}

/* A source that is written keeps what its rates need. Those that have no flow are told by the
 * number of the census, which comes last. */
static void write_sources(struct balancer *balancer, const struct census *census)
{
	int map = balancer->map[MAP_SOURCES];
	__u32 number = balancer->config->census + 1;

	for (__u32 i = 0; i < census->room; i++) {
		const struct source_flows *counted = &census->sources[i];
		struct source source = { 0 };

		if (!counted->key.service)
			continue;
		map_lookup(map, &counted->key, &source);
		source.flows = counted->flows;
		source.begun = 0;
		source.census = number;
		map_update(map, &counted->key, &source, BPF_ANY);
	}
	store(balancer->config->census, number);
}

/* Takes the flag from a slot that is in no transition any more, so that its packets are ordinary
 * again. */
static void settle_slot(const struct config_service *service, const struct slots *words, __u32 slot)
{
	const struct transition *transitions = (const void *)words;
	const __u16 *backend = &words[slot / SLOTS_PER_WORD].backend[slot % SLOTS_PER_WORD];

	store(*backend, *backend & ~SLOT_MOVING);
	store(transitions[words_of(service->running_slots) + slot].former, 0);
}

static void settle_slots(const struct balancer *balancer, const struct config_service *service)
{
	const struct slots *words = map_running_table(service);
	__u32 now = tick_now() - MARGIN;

	for (__u32 i = 0; i < service->running_slots && words; i++) {
		struct slot slot = read_slot(words, service->running_slots, true, i);

		if (slot.former &&
		    transition_is_over(&slot, balancer->config, service->settle, now))
			settle_slot(service, words, i);
	}
	if (words)
		unmap_running_table(service, words);
}

enum status take_census(struct balancer *balancer, const struct configuration *config,
			struct census *census)
{
	enum status status = map_flows(balancer);
	struct live_count *live = malloc(sizeof(*live));
	bool done;

	memset(census, 0, sizeof(*census));
	census->flows = calloc(MAX_BACKENDS + 1, sizeof(*census->flows));
	if (status) {
		free(live);
		return status;
	}
	done = live && census->flows;
	if (done) {
		begin_live_count(balancer, config, live);
		done = count_all(balancer, census, live);
	}
	if (done)
		mend_live(balancer, live);
	free(live);
	if (!done)
		return fail(FAILED, "out of memory");
	write_sources(balancer, census);
	for_each_service(service, config)
		if (service->moving)
			settle_slots(balancer, service);
	return DONE;
}

enum status keep_house(struct balancer *balancer)
{
	struct census census = { 0 };
	struct configuration config;
	enum status status;

	config_init(&config);
	status = lock_balancer(balancer);
	if (!status)
		status = recover_config(balancer, &config, false, false);
	if (!status)
		status = take_census(balancer, &config, &census);
	unlock_balancer(balancer);
	free_census(&census);
	config_free(&config);
	return status;
}
