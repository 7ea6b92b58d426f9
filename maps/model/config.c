// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "lib/error.h"
#include "lib/text.h"
#include "model/config.h"

void config_init(struct configuration *config)
{
	memset(config, 0, sizeof(*config));
	config->tcp_timeout = DEFAULT_TCP_TIMEOUT;
	config->fin_timeout = DEFAULT_FIN_TIMEOUT;
	config->udp_timeout = DEFAULT_UDP_TIMEOUT;
	config->pmtu = DEFAULT_PMTU;
}

void config_free(struct configuration *config)
{
	for_each_service(service, config)
		free(service->backends);
	free(config->services);
	free(config->sources);
	free(config->denies);
	free(config->has_table);
	config_init(config);
}

static void *copy_of(const void *from, size_t size)
{
	void *copy = malloc(size ? size : 1);

	if (copy && size)
		memcpy(copy, from, size);
	return copy;
}

static bool copy_service(struct config_service *to, const struct config_service *from)
{
	*to = *from;
	to->room = from->count;
	to->backends = copy_of(from->backends, from->count * sizeof(*from->backends));
	return to->backends;
}

bool config_copy(struct configuration *to, const struct configuration *from)
{
	*to = *from;
	to->has_table = NULL;
	to->count = 0;
	to->room = from->count;
	to->source_room = from->source_count;
	to->deny_room = from->deny_count;
	to->services = malloc((from->count + 1) * sizeof(*from->services));
	to->sources = copy_of(from->sources, from->source_count * sizeof(*from->sources));
	to->denies = copy_of(from->denies, from->deny_count * sizeof(*from->denies));
	if (!to->services || !to->sources || !to->denies)
		goto cleanup;
	for (; to->count < from->count; to->count++) {
		if (!copy_service(&to->services[to->count], &from->services[to->count]))
			goto cleanup;
	}
	return true;
cleanup:
	config_free(to);
	return false;
}

/* A gap at `at` in a growing array. Returns the element there, zeroed, or NULL without memory. */
static void *open_gap(void **array, unsigned int *count, unsigned int *room, unsigned int at,
		      size_t size)
{
	unsigned int wanted = *room ? 2 * *room : 8;
	char *element;

	if (*count >= *room) {
		void *longer = realloc(*array, wanted * size);

		if (!longer)
			return NULL;
		*array = longer;
		*room = wanted;
	}
	element = (char *)*array + at * size;
	memmove(element + size, element, (*count - at) * size);
	memset(element, 0, size);
	++*count;
	return element;
}

static void close_gap(void *array, unsigned int *count, void *element, size_t size)
{
	char *end = (char *)array + --*count * size;

	memmove(element, (char *)element + size, end - (char *)element);
}

int compare_endpoints(const struct endpoint *a, const struct endpoint *b)
{
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	if (!order)
		order = memcmp(&a->port, &b->port, sizeof(a->port));
	return order ? order : a->protocol - b->protocol;
}

/* Where `key` is among sorted elements that begin with an endpoint, or would have to be. */
static unsigned int position_of(const void *array, unsigned int count, size_t size,
				const struct endpoint *key, bool *found)
{
	unsigned int low = 0, high = count;

	*found = false;
	while (low < high) {
		unsigned int middle = (low + high) / 2;
		int order = compare_endpoints((const void *)((const char *)array + middle * size),
					      key);

		if (!order) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct config_service *config_find(const struct configuration *config, const struct endpoint *vip)
{
	bool found;
	unsigned int at = position_of(config->services, config->count, sizeof(*config->services),
				      vip, &found);

	return found ? &config->services[at] : NULL;
}

struct config_service *config_need(const struct configuration *config, const struct endpoint *vip)
{
	struct config_service *service = config_find(config, vip);

	if (!service)
		fail(FAILED, "%s is not a service", text_of_vip(vip).s);
	return service;
}

struct config_service *config_add(struct configuration *config, const struct endpoint *vip)
{
	struct config_service *service;
	bool found;
	unsigned int at = position_of(config->services, config->count, sizeof(*service), vip,
				      &found);

	service = open_gap((void **)&config->services, &config->count, &config->room, at,
			   sizeof(*service));
	if (service)
		service->vip = *vip;
	return service;
}

void config_remove(struct configuration *config, struct config_service *service)
{
	free(service->backends);
	close_gap(config->services, &config->count, service, sizeof(*service));
}

struct config_backend *backend_find(const struct config_service *service,
				    const struct endpoint *real)
{
	bool found;
	unsigned int at = position_of(service->backends, service->count, sizeof(*service->backends),
				      real, &found);

	return found ? &service->backends[at] : NULL;
}

struct config_backend *backend_need(const struct config_service *service,
				    const struct endpoint *real)
{
	struct config_backend *backend = backend_find(service, real);

	if (!backend)
		fail(FAILED, "%s is not a backend of %s", text_of_real(real).s,
		     text_of_vip(&service->vip).s);
	return backend;
}

struct config_backend *backend_insert(struct config_service *service, const struct endpoint *real)
{
	struct config_backend *backend;
	bool found;
	unsigned int at = position_of(service->backends, service->count, sizeof(*backend), real,
				      &found);

	backend = open_gap((void **)&service->backends, &service->count, &service->room, at,
			   sizeof(*backend));
	if (backend) {
		backend->real = *real;
		backend->weight = DEFAULT_WEIGHT;
	}
	return backend;
}

void backend_remove(struct config_service *service, struct config_backend *backend)
{
	close_gap(service->backends, &service->count, backend, sizeof(*backend));
}

bool has_via(const struct config_service *service)
{
	return !is_zero_address(&service->via.real.address);
}

struct config_backend *next_record(struct config_service *service, struct config_backend *record)
{
	if (record == &service->via)
		return NULL;
	record = record ? record + 1 : service->backends;
	if (record != service->backends + service->count)
		return record;
	return has_via(service) ? &service->via : NULL;
}

static unsigned int position_of_source(const struct configuration *config,
				       const struct address *address, bool *found)
{
	struct endpoint self = { .address = *address };

	return position_of(config->sources, config->source_count, sizeof(*config->sources), &self,
			   found);
}

struct config_source *source_find(const struct configuration *config, const struct address *address)
{
	bool found;
	unsigned int at = position_of_source(config, address, &found);

	return found ? &config->sources[at] : NULL;
}

struct config_source *source_insert(struct configuration *config, const struct address *address)
{
	bool found;
	unsigned int at = position_of_source(config, address, &found);
	struct config_source *source = open_gap((void **)&config->sources, &config->source_count,
						&config->source_room, at, sizeof(*source));

	if (source)
		source->self.address = *address;
	return source;
}

void source_remove(struct configuration *config, struct config_source *source)
{
	close_gap(config->sources, &config->source_count, source, sizeof(*source));
}

bool is_source_up(const struct config_source *source)
{
	return source && source->state == STATE_UP;
}

unsigned int count_backends(const struct configuration *config)
{
	unsigned int count = 0;

	for_each_service(service, config)
		count += service->count;
	return count;
}

bool is_resolved(const struct hop *hop)
{
	static const __u8 zero[6];

	return memcmp(hop->mac, zero, sizeof(zero));
}

/* Whether the operator wants it to get flows, and there is a way to it. */
static bool is_offered(const struct config_backend *backend)
{
	return backend->state == STATE_UP && (backend->needs_no_hop || is_resolved(&backend->hop));
}

/* Whether so few backends would be left that rather the checks are wrong. */
static bool is_panic(const struct config_service *service)
{
	unsigned int offered = 0, left = 0;

	for_each_backend(backend, service) {
		bool is_one = is_offered(backend);

		offered += is_one;
		left += is_one && backend->health != HEALTH_FAILING;
	}
	return left * 100 < offered * service->check.panic;
}

void judge_backends(struct config_service *service)
{
	bool has_regular = false;

	service->is_panicking = is_panic(service);
	for_each_backend(backend, service) {
		bool is_out = backend->health == HEALTH_FAILING && !service->is_panicking;

		backend->is_eligible = is_offered(backend) && !is_out;
		backend->is_cut = backend->state == STATE_DOWN ||
				  (is_out && service->check.ends_flows);
		has_regular |= backend->is_eligible && !backend->is_backup;
	}
	for (unsigned int i = 0; i < service->count && has_regular; i++) {
		if (service->backends[i].is_backup)
			service->backends[i].is_eligible = false;
	}
}

void forget_check(struct config_service *service)
{
	memset(&service->check, 0, sizeof(service->check));
	for_each_backend(backend, service)
		backend->health = HEALTH_UNKNOWN;
}

bool config_deny(struct configuration *config, const struct deny_key *key,
		 const struct file_line *said_at)
{
	struct config_deny *added = open_gap((void **)&config->denies, &config->deny_count,
					     &config->deny_room, config->deny_count,
					     sizeof(*added));

	if (added) {
		added->key = *key;
		if (said_at)
			added->said_at = *said_at;
	}
	return added;
}

int compare_denies(const struct deny_key *a, const struct deny_key *b)
{
	int order = memcmp(&a->prefix, &b->prefix, sizeof(a->prefix));

	return order ? order : (int)a->length - (int)b->length;
}

int compare_listed(const struct configuration *a, unsigned int i, const struct configuration *b,
		   unsigned int j)
{
	if (i == a->deny_count)
		return 1;
	if (j == b->deny_count)
		return -1;
	return compare_denies(&a->denies[i].key, &b->denies[j].key);
}

static int compare_places(const void *a, const void *b)
{
	const struct config_deny *x = a, *y = b;
	int order = compare_denies(&x->key, &y->key);

	if (!order)
		order = (int)x->said_at.file - (int)y->said_at.file;
	return order ? order : (int)x->said_at.line - (int)y->said_at.line;
}

void config_sort_denies(struct configuration *config)
{
	if (config->deny_count)
		qsort(config->denies, config->deny_count, sizeof(*config->denies), compare_places);
}

/* Whether what the table depends on is not the same. */
static bool backend_differs(const struct config_backend *running,
			    const struct config_backend *wanted)
{
	return compare_endpoints(&running->real, &wanted->real) ||
	       running->weight != wanted->weight || running->state != wanted->state ||
	       running->is_backup != wanted->is_backup ||
	       running->generation != wanted->generation ||
	       running->was_eligible != wanted->is_eligible;
}

bool has_limit(const struct limit *limit)
{
	return limit->pps || limit->flows || limit->conns;
}

bool limit_differs(const struct limit *a, const struct limit *b)
{
	return a->pps != b->pps || a->burst != b->burst || a->flows != b->flows ||
	       a->flags != b->flags || a->conns != b->conns;
}

bool service_differs(const struct config_service *running, const struct config_service *wanted)
{
	if (running->mode != wanted->mode || running->hash != wanted->hash ||
	    running->pick != wanted->pick || running->slots != wanted->slots ||
	    running->settle != wanted->settle || running->count != wanted->count)
		return true;
	for (unsigned int i = 0; i < running->count; i++) {
		if (backend_differs(&running->backends[i], &wanted->backends[i]))
			return true;
	}
	return false;
}

void real_key(const struct config_service *service, const struct config_backend *backend,
	      struct real_key *key)
{
	memset(key, 0, sizeof(*key));
	key->address = backend->real.address;
	key->port = backend->real.port ? backend->real.port : service->vip.port;
	key->protocol = service->vip.protocol;
}

void service_key(const struct config_service *service, struct service_key *key)
{
	memset(key, 0, sizeof(*key));
	key->vip = service->vip_number;
	key->port = service->vip.port;
	key->protocol = service->vip.protocol;
}

__u16 service_flags(const struct config_service *service)
{
	return (service->pick == PICK_LEAST ? SERVICE_LEAST : 0) |
	       (service->moving ? SERVICE_MOVING : 0) |
	       (has_limit(&service->limit) ? SERVICE_LIMITED : 0);
}
