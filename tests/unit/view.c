// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "lib/text.h"
#include "view.h"

static void describe_service(FILE *out, const struct config_service *service)
{
	fprintf(out,
		"%s %s table %u settle %u hash %s pick %s limit %u/%u %u/%u %u check %s %s %u\n",
		text_of_vip(&service->vip).s, mode_name(service->mode), service->slots,
		service->settle, hash_name(service->hash), pick_name(service->pick),
		service->limit.pps, service->limit.burst, service->limit.flows,
		service->limit.flags, service->limit.conns, check_type_name(service->check.type),
		service->check.word, service->check.interval);
	for (unsigned int i = 0; i < service->count; i++) {
		const struct config_backend *backend = &service->backends[i];

		fprintf(out, "  %s weight %u %s %s%s mac %s%s mtu %u\n",
			text_of_real(&backend->real).s, backend->weight, state_name(backend->state),
			health_name(backend->health), backend->is_backup ? " backup" : "",
			text_of_mac(backend->hop.mac).s, backend->mac_given ? " given" : "",
			backend->mtu);
	}
}

char *describe(const struct configuration *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned int i = 0; i < config->count; i++)
		describe_service(out, &config->services[i]);
	for (unsigned int i = 0; i < config->source_count; i++)
		fprintf(out, "source %s %s\n", text_of_address(&config->sources[i].self.address).s,
			state_name(config->sources[i].state));
	for (unsigned int i = 0; i < config->deny_count; i++)
		fprintf(out, "deny %s\n", text_of_prefix(&config->denies[i].key).s);
	fprintf(out, "timeouts %u %u %u pmtu %u\n", config->tcp_timeout, config->fin_timeout,
		config->udp_timeout, config->pmtu);
	fclose(out);
	return text;
}

struct vip_entry {
	struct address address;
	struct vip vip;
};

struct service_entry {
	struct service_key key;
	struct service service;
};

/* The entries of xlb_vips and xlb_services. */
struct entries {
	struct vip_entry vip[32];
	struct service_entry service[32];
	unsigned int vips, services;
};

static void read_entries(const struct balancer *balancer, struct entries *entries)
{
	const void *previous = NULL;

	memset(entries, 0, sizeof(*entries));
	while (entries->vips < 32 && !map_next_key(balancer->map[MAP_VIPS], previous,
						   &entries->vip[entries->vips].address)) {
		struct vip_entry *entry = &entries->vip[entries->vips++];

		map_lookup(balancer->map[MAP_VIPS], &entry->address, &entry->vip);
		previous = &entry->address;
	}
	previous = NULL;
	while (entries->services < 32 && !map_next_key(balancer->map[MAP_SERVICES], previous,
						       &entries->service[entries->services].key)) {
		struct service_entry *entry = &entries->service[entries->services++];

		map_lookup(balancer->map[MAP_SERVICES], &entry->key, &entry->service);
		previous = &entry->key;
	}
}

__u64 sum_of_cached(const struct balancer *balancer)
{
	struct entries entries;
	const __u8 *byte;
	__u64 sum = 0;

	read_entries(balancer, &entries);
	byte = (const __u8 *)&entries;
	for (size_t i = 0; i < sizeof(entries); i++)
		sum = sum * 31 + byte[i];
	return sum;
}

static const struct vip_entry *vip_of(const struct entries *entries, __u16 number)
{
	const struct vip_entry *found = NULL;

	for (unsigned int i = 0; i < entries->vips; i++) {
		if (entries->vip[i].vip.number == number && found)
			return NULL;
		if (entries->vip[i].vip.number == number)
			found = &entries->vip[i];
	}
	return found;
}

/* What its VIP has to say before a service is there. */
static const char *check_vip(const struct service_entry *entry, const struct vip *vip)
{
	if (entry->service.mode == MODE_NAT && vip->flags & VIP_STATELESS)
		return "a service in mode nat of a VIP without state";
	if (entry->key.port == ANY_PORT)
		return vip->ports ? "a service of any port of a VIP that lists its ports" : NULL;
	if (vip->ports && !(vip->ports & port_bit(entry->key.port, entry->key.protocol)))
		return "a service whose port its VIP does not have";
	return NULL;
}

static const char *check_record(const struct balancer *balancer, const struct service *service,
				__u16 number)
{
	const struct backend *record = &balancer->backends[number];
	const struct hop *hop = &record->hop[record->flags & BACKEND_HOP ? 1 : 0];

	if (number > MAX_BACKENDS || record->service != service->number)
		return "a slot of a backend that is not the service's";
	if (is_zero_address(&record->address) || !is_resolved(hop))
		return "a slot of a backend without address or next hop";
	return NULL;
}

static const char *check_slots(const struct balancer *balancer, const struct service *service,
			       const __u16 *slots, __u32 words)
{
	bool moving = service->flags & SERVICE_MOVING;
	__u32 needed = (service->slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD +
		       (moving ? service->slots : 0);
	const char *fault = words < needed ? "a table that is too small" : NULL;

	for (__u32 i = 0; i < service->slots && !fault; i++) {
		if (slots[i] & SLOT_MOVING && !moving)
			fault = "a slot in transition in a table without";
		else if (slots[i] & ~SLOT_MOVING)
			fault = check_record(balancer, service, slots[i] & ~SLOT_MOVING);
	}
	return fault;
}

static const char *check_table(const struct balancer *balancer, const struct service *service)
{
	struct bpf_map_info info;
	const char *fault;
	const void *memory;
	__u32 id;
	int map;

	if (map_lookup(balancer->map[MAP_TABLES], &service->table, &id))
		return "a service without a table";
	map = map_open_id(id);
	if (map < 0 || map_info(map, &info))
		return "a table that cannot be opened";
	memory = map_memory(map, info.max_entries * sizeof(struct slots));
	close(map);
	if (!memory)
		return "a table that cannot be read";
	fault = check_slots(balancer, service, memory, info.max_entries);
	unmap_memory(memory, info.max_entries * sizeof(struct slots));
	return fault;
}

static bool is_limit_of(const struct limit *limit, const struct config_service *service)
{
	return service && limit->pps == service->limit.pps && limit->burst == service->limit.burst;
}

/* The service is the one of `old` or of `new`, its hops and limits too. */
static const char *check_service(const struct balancer *balancer, const struct service_entry *entry,
				 const struct address *address, const struct configuration *old,
				 const struct configuration *new)
{
	struct endpoint vip = {
		.address = *address,
		.port = entry->key.port,
		.protocol = entry->key.protocol,
	};
	const struct config_service *before = config_find(old, &vip),
				    *after = config_find(new, &vip);
	const struct limit *limit = &balancer->limits[entry->service.number];

	if (!before && !after)
		return "a service that is neither old nor new";
	if (!(before && entry->service.mode == before->mode &&
	      entry->service.slots == before->slots) &&
	    !(after && entry->service.mode == after->mode && entry->service.slots == after->slots))
		return "a service of a mode or table that is neither old nor new";
	if (entry->service.flags & SERVICE_LIMITED && !is_limit_of(limit, before) &&
	    !is_limit_of(limit, after))
		return "a limit that is neither old nor new";
	return NULL;
}

static const char *check_numbers(const struct entries *entries)
{
	for (unsigned int i = 0; i < entries->services; i++) {
		const struct service *one = &entries->service[i].service;

		for (unsigned int j = 0; j < i; j++) {
			const struct service *other = &entries->service[j].service;

			if (one->number == other->number)
				return "two services of one number";
			if (one->table == other->table)
				return "two services of one table";
		}
	}
	return NULL;
}

/* A source that a new flow can get is one for which answers are known. */
static const char *check_pool(const struct balancer *balancer, const struct entries *entries,
			      const __u8 *slots)
{
	for (unsigned int i = 0; i < POOL_SLOTS; i++) {
		__u16 number = POOL_NUMBER(slots[i]);
		const struct vip_entry *entry = slots[i] ? vip_of(entries, number) : NULL;

		if (slots[i] && (!entry || !(entry->vip.flags & VIP_POOL) ||
				 !same_address(&entry->address, &balancer->addresses[number])))
			return "a source of another address, or of none";
	}
	return NULL;
}

const char *find_fault(const struct balancer *balancer, const struct configuration *old,
		       const struct configuration *new)
{
	struct entries entries;
	const char *fault;

	read_entries(balancer, &entries);
	fault = check_numbers(&entries);
	if (!fault)
		fault = check_pool(balancer, &entries, balancer->pool->ipv4);
	for (unsigned int i = 0; i < entries.services && !fault; i++) {
		const struct service_entry *entry = &entries.service[i];
		const struct vip_entry *vip = vip_of(&entries, entry->key.vip);

		if (!vip)
			return "a service without a VIP, or of two";
		fault = check_vip(entry, &vip->vip);
		if (!fault)
			fault = check_service(balancer, entry, &vip->address, old, new);
		if (!fault)
			fault = check_table(balancer, &entry->service);
	}
	return fault;
}

/* Records are those of the configuration and no others, and say what it says. */
static const char *check_records(const struct balancer *balancer,
				 const struct configuration *config)
{
	bool used[MAX_BACKENDS + 1] = { false };

	for (unsigned int i = 0; i < config->count; i++) {
		for (unsigned int j = 0; j < config->services[i].count; j++) {
			const struct config_backend *backend = &config->services[i].backends[j];
			const struct backend *record = &balancer->backends[backend->number];

			if (used[backend->number])
				return "a backend's number that is used twice";
			used[backend->number] = true;
			if (record->generation != backend->generation)
				return "a record of another generation";
			if (!!record->drained != (backend->state == STATE_DRAINING))
				return "a record that drains, or does not";
		}
		used[config->services[i].via.number] = true;
	}
	for (unsigned int i = 1; i <= MAX_BACKENDS; i++) {
		const struct backend *record = &balancer->backends[i];

		if (!used[i] && (record->service || !is_zero_address(&record->address)))
			return "a record of no backend";
	}
	return NULL;
}

static const char *check_limits(const struct balancer *balancer, const struct configuration *config)
{
	const struct config_service *owner[MAX_SERVICES + 1] = { NULL };

	for (unsigned int i = 0; i < config->count; i++)
		owner[config->services[i].number] = &config->services[i];
	for (unsigned int i = 1; i <= MAX_SERVICES; i++) {
		const struct limit *limit = &balancer->limits[i];

		if (!owner[i] && (has_limit(limit) || limit->burst || limit->flags))
			return "a limit of no service";
	}
	return NULL;
}

static const char *check_source(const struct balancer *balancer, const struct configuration *config,
				const struct vip_entry *entry)
{
	const struct config_source *source = source_find(config, &entry->address);

	if (!source)
		return "a source that is none";
	if (!(entry->vip.flags & VIP_DRAINING) != is_source_up(source))
		return "a source that drains, or does not";
	if (!memchr(balancer->pool->ipv4, entry->vip.number - POOL_NUMBER(0), POOL_SLOTS) ==
	    is_source_up(source))
		return "a source that no flow gets, or that one gets while it drains";
	return NULL;
}

static const char *check_vips(const struct configuration *config, const struct entries *entries)
{
	for (unsigned int i = 0; i < entries->vips; i++) {
		__u64 ports = 0;
		bool any = false, nat = false, is_used = false;

		if (entries->vip[i].vip.flags & VIP_POOL)
			continue;
		for (unsigned int j = 0; j < config->count; j++) {
			const struct config_service *service = &config->services[j];

			if (!same_address(&service->vip.address, &entries->vip[i].address))
				continue;
			is_used = true;
			any |= service->vip.port == ANY_PORT;
			nat |= service->mode == MODE_NAT;
			ports |= port_bit(service->vip.port, service->vip.protocol);
		}
		if (!is_used)
			return "a VIP without services";
		if (entries->vip[i].vip.ports != (any ? 0 : ports))
			return "a VIP of other ports than its services'";
		if (!(entries->vip[i].vip.flags & VIP_STATELESS) != nat)
			return "a VIP that has state, or has none";
	}
	return NULL;
}

static const char *check_flags(const struct balancer *balancer, const struct configuration *config,
			       const struct entries *entries)
{
	for (unsigned int i = 0; i < entries->services; i++) {
		const struct service *service = &entries->service[i].service;
		const struct limit *limit = &balancer->limits[service->number];

		if (!(service->flags & SERVICE_LIMITED) != !has_limit(limit))
			return "a limit that is not in force, or in force without";
	}
	if (!(balancer->config->flags & CONFIG_DENY) != !config->deny_count)
		return "a deny list that is not in force, or in force without";
	if (balancer->config->flags & CONFIG_SWEEP)
		return "flows that are still to be ended";
	if (balancer->config->generation <= GENERATION_CHANGING)
		return "a data path that may not cache";
	return NULL;
}

/* Whether xlb_own says where the backend serves. */
static bool is_told(const struct balancer *balancer, const struct config_service *service,
		    const struct config_backend *backend)
{
	struct own_key key = { .address = backend->real.address };
	__u32 flags;

	if (map_lookup(balancer->map[MAP_OWN], &key, &flags) || !(flags & OWN_BACKEND))
		return false;
	key.port = backend->real.port ? backend->real.port : service->vip.port;
	key.protocol = service->vip.protocol;
	return !map_lookup(balancer->map[MAP_OWN], &key, &flags);
}

/* Whether it says so of any backend. */
static bool is_anybodys(const struct configuration *config, const struct own_key *key)
{
	for (unsigned int i = 0; i < config->count; i++) {
		const struct config_service *service = &config->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			const struct endpoint *real = &service->backends[j].real;
			__be16 port = real->port ? real->port : service->vip.port;

			if (same_address(&real->address, &key->address) &&
			    (!key->protocol ||
			     (key->protocol == service->vip.protocol && key->port == port)))
				return true;
		}
	}
	return false;
}

static const char *check_own(const struct balancer *balancer, const struct configuration *config)
{
	struct own_key key, *previous = NULL;

	for (unsigned int i = 0; i < config->count; i++) {
		const struct config_service *service = &config->services[i];

		for (unsigned int j = 0; j < service->count; j++)
			if (!is_told(balancer, service, &service->backends[j]))
				return "a backend that is not told from clients";
	}
	while (!map_next_key(balancer->map[MAP_OWN], previous, &key)) {
		if (!is_anybodys(config, &key))
			return "a client that is taken for a backend";
		previous = &key;
	}
	return NULL;
}

/* Mode dnat: every backend's answers are known, and nobody else's. */
static const char *check_answers(const struct balancer *balancer,
				 const struct configuration *config)
{
	struct real_key key, *previous = NULL;
	unsigned int count = 0;
	__u32 number;

	for (unsigned int i = 0; i < config->count; i++) {
		const struct config_service *service = &config->services[i];
		const struct answer *answer = &balancer->answers[service->number];

		if (service->mode != MODE_DNAT)
			continue;
		if (!same_address(&answer->vip, &service->vip.address) ||
		    answer->port != service->vip.port || answer->via != service->via.number)
			return "answers that become something else";
		for (unsigned int j = 0; j < service->count; j++, count++) {
			real_key(service, &service->backends[j], &key);
			if (map_lookup(balancer->map[MAP_REALS], &key, &number) ||
			    number != service->backends[j].number)
				return "a backend whose answers are not known";
		}
	}
	if (!(balancer->config->flags & CONFIG_DNAT) != !count)
		return "answers that are not asked for, or asked for without";
	while (!map_next_key(balancer->map[MAP_REALS], previous, &key)) {
		previous = &key;
		count--;
	}
	return count ? "answers of no backend" : NULL;
}

/* The list of a service that picks by it is of the backends that get new flows; others have none. */
static const char *check_lists(const struct balancer *balancer, const struct configuration *config)
{
	for (unsigned int i = 0; i < config->count; i++) {
		const struct config_service *service = &config->services[i];
		const struct least *least = &balancer->least[service->number];
		unsigned int eligible = 0;

		for (unsigned int j = 0; j < service->count && service->pick == PICK_LEAST; j++) {
			const struct config_backend *backend = &service->backends[j];

			if (balancer->live[backend->number].weight != backend->weight)
				return "a weight that is not the backend's";
			if (backend->is_eligible &&
			    least->backend[eligible++ % LEAST_LISTED] != backend->number)
				return "a list of other backends";
		}
		if (least->count != eligible)
			return "a list of another length";
	}
	return NULL;
}

const char *find_leftover(const struct balancer *balancer, const struct configuration *config)
{
	struct entries entries;
	const char *fault;

	read_entries(balancer, &entries);
	fault = check_records(balancer, config);
	if (!fault)
		fault = check_limits(balancer, config);
	if (!fault)
		fault = check_vips(config, &entries);
	if (!fault)
		fault = check_lists(balancer, config);
	if (!fault)
		fault = check_own(balancer, config);
	if (!fault)
		fault = check_answers(balancer, config);
	for (unsigned int i = 0; i < entries.vips && !fault; i++) {
		if (entries.vip[i].vip.flags & VIP_POOL)
			fault = check_source(balancer, config, &entries.vip[i]);
	}
	return fault ? fault : check_flags(balancer, config, &entries);
}
