// SPDX-License-Identifier: GPL-2.0
/*
 * Making a configuration run. What the data path sees of a service changes in one store, the update
 * of its entry in xlb_services; all that this names has been made before, under numbers that
 * nothing used, and bring_in_line() does the rest. What readers see of all services changes when
 * the journal is there: if we are killed after that, who comes next begins by doing all anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "model/answers.h"
#include "model/counters.h"
#include "model/journal.h"
#include "model/least.h"
#include "model/numbers.h"
#include "model/own.h"
#include "model/pool.h"
#include "model/read_config.h"
#include "model/reconcile.h"
#include "model/records.h"
#include "model/sweep.h"
#include "model/write_config.h"
#include "model/write_table.h"

struct commit {
	struct balancer *balancer;
	const struct configuration *running;
	struct configuration *wanted;
	struct used used;
	struct new_table *tables;
	unsigned int count; /* of these */
	struct table_update *update;
};

static bool is_changed(const struct commit *commit, const struct config_service *service)
{
	const struct config_service *running = config_find(commit->running, &service->vip);

	return !running || service_differs(running, service);
}

/* `down` ends a backend's flows, as a failed check may, and another mode of its service. */
static void set_generations(struct commit *commit)
{
	for_each_service(service, commit->wanted) {
		const struct config_service *running = config_find(commit->running, &service->vip);

		for (unsigned int j = 0; j < service->count && running; j++) {
			struct config_backend *backend = &service->backends[j];
			const struct config_backend *before = backend_find(running, &backend->real);

			if (before && (running->mode != service->mode ||
				       (backend->is_cut && !before->is_cut)))
				backend->generation = before->generation + 1;
		}
	}
}

/* Deletes services that are wanted no more, in `remaining` too. Returns how many, or -errno. */
static int delete_unwanted(struct commit *commit, struct configuration *remaining)
{
	struct service_key key;
	int count = 0;

	for_each_service(service, commit->running) {
		int result;

		if (config_find(commit->wanted, &service->vip))
			continue;
		service_key(service, &key);
		stop_caching(commit->balancer);
		result = map_delete(commit->balancer->map[MAP_SERVICES], &key);
		if (result && result != -ENOENT)
			return result;
		config_remove(remaining, config_find(remaining, &service->vip));
		count++;
	}
	return count;
}

/* Deletes services with all that they have, so that their numbers can be used again. */
static int delete_services(struct commit *commit)
{
	struct configuration remaining;
	struct used used;
	int result;

	if (!config_copy(&remaining, commit->running))
		return -ENOMEM;
	result = delete_unwanted(commit, &remaining);
	if (result > 0) {
		mark_used(&used, &remaining, NULL);
		bring_in_line(commit->balancer, &remaining, &used);
		/* No packet is left that knows the numbers by what had them before. */
		wait_for_programs();
	}
	config_free(&remaining);
	return result < 0 ? result : 0;
}

/* Two words of struct limit that change together. */
static void write_pair(const __u32 *at, __u32 first, __u32 second)
{
	union {
		__u32 half[2];
		__u64 word;
	} pair = { { first, second } };

	if (at[0] != first || at[1] != second)
		store_word(at, pair.word, sizeof(pair.word));
}

static void write_limit(struct balancer *balancer, const struct config_service *service)
{
	const struct limit *limit = &balancer->limits[service->number];
	const struct limit *wanted = &service->limit;

	write_pair(&limit->pps, wanted->pps, wanted->burst);
	write_pair(&limit->flows, wanted->flows, wanted->flags);
	if (limit->conns != wanted->conns)
		store(limit->conns, wanted->conns);
}

/* Readers look with the lock held, and so find it whole; the new generation tells `watch`. */
static void write_check(struct balancer *balancer, const struct config_service *service)
{
	const struct check *check = &balancer->checks[service->number];

	if (!memcmp(check, &service->check, sizeof(*check)))
		return;
	stop_caching(balancer);
	store_bytes(check, &service->check, sizeof(*check));
}

/* Health that changes no backend's slots goes into the table that runs. */
static void write_health(const struct commit *commit, const struct config_service *service)
{
	const struct config_service *running = config_find(commit->running, &service->vip);

	for (unsigned int i = 0; i < service->count; i++) {
		const struct config_backend *backend = &service->backends[i];

		if (backend->health != running->backends[i].health)
			store_health(running, backend);
	}
}

/* Writes what no committed service names yet, and what may change in place. */
static int write_records(struct commit *commit)
{
	for_each_service(service, commit->wanted) {
		int result = 0;

		if (!config_find(commit->running, &service->vip))
			result = retire_service_stats(commit->balancer, service->number);
		if (result)
			return result;
		write_limit(commit->balancer, service);
		write_check(commit->balancer, service);
		if (!is_changed(commit, service))
			write_health(commit, service);
		for_each_record(backend, service) {
			if (backend->is_new)
				write_new_record(commit->balancer, service, backend);
			else
				update_record(commit->balancer, service, backend);
		}
	}
	return write_answers(commit->balancer, commit->wanted);
}

/* There is a number for each service that runs and for each that is to replace one. */
static __u32 free_table_number(struct used *used)
{
	__u32 number = 1;

	while (number < MAX_TABLES - 1 && used->table[number])
		number++;
	used->table[number] = true;
	return number;
}

static int make_tables(struct commit *commit)
{
	commit->tables = calloc(commit->wanted->count + 1, sizeof(*commit->tables));
	commit->count = 0;
	if (!commit->tables)
		return -ENOMEM;
	for_each_service(service, commit->wanted) {
		int map;

		if (!is_changed(commit, service))
			continue;
		service->table = free_table_number(&commit->used);
		map = make_table(commit->balancer, config_find(commit->running, &service->vip),
				 service);
		if (map < 0)
			return map;
		commit->tables[commit->count].service = service;
		commit->tables[commit->count++].map = map;
	}
	return 0;
}

/*
 * The VIP is there before its first service, is said to have state before it has, and to have the
 * port of a service before that appears. What it need not say any more bring_in_line() takes
 * back.
 */
static int write_vip(struct balancer *balancer, const struct config_service *service)
{
	struct vip vip = { .number = service->vip_number, .flags = VIP_STATELESS };
	struct vip before = {};
	int map = balancer->map[MAP_VIPS];
	bool is_there = !map_lookup(map, &service->vip.address, &before) &&
			before.number == vip.number;

	if (is_there)
		vip = before;
	if (service->mode == MODE_NAT)
		vip.flags &= ~VIP_STATELESS;
	if (service->vip.port == ANY_PORT)
		vip.ports = 0;
	else if (!is_there || vip.ports)
		vip.ports |= port_bit(service->vip.port, service->vip.protocol);
	if (is_there && !memcmp(&vip, &before, sizeof(vip)))
		return 0;
	know_vip(balancer, &service->vip.address);
	return map_update(map, &service->vip.address, &vip, BPF_ANY);
}

/* The point where a change takes effect. */
static int write_service(struct balancer *balancer, const struct config_service *service)
{
	struct service_key key;
	struct service entry = {
		.number = service->number,
		.table = service->table,
		.slots = service->slots,
		.mode = service->mode,
		.hash = service->hash,
		.flags = service_flags(service),
		.settle = service->settle,
		.changed = service->changed,
	};
	int result;

	stop_caching(balancer);
	service_key(service, &key);
	write_address(balancer, service->vip_number, &service->vip.address);
	result = write_vip(balancer, service);
	return result ? result : map_update(balancer->map[MAP_SERVICES], &key, &entry, BPF_ANY);
}

/* Puts the new tables in place and commits their services. */
static int commit_services(struct commit *commit)
{
	int result = put_tables(commit->balancer, commit->tables, commit->count, commit->update);

	sync_least(commit->balancer, commit->wanted);
	if (takes_ports(commit->running, commit->wanted))
		request_sweep(commit->balancer);
	for (unsigned int i = 0; i < commit->count && !result; i++)
		result = write_service(commit->balancer, commit->tables[i].service);
	return result;
}

/* Replaces the denies that differ. Both lists are sorted. */
static int write_denies(struct commit *commit)
{
	const struct configuration *running = commit->running, *wanted = commit->wanted;
	struct deny_key *gone = malloc((running->deny_count + 1) * sizeof(*gone));
	struct deny_key *added = malloc((wanted->deny_count + 1) * sizeof(*added));
	__u32 *values = malloc((wanted->deny_count + 1) * sizeof(*values));
	__u32 deletions = 0, additions = 0;
	unsigned int i = 0, j = 0;
	int result = gone && added && values ? 0 : -ENOMEM;

	while (!result && (i < running->deny_count || j < wanted->deny_count)) {
		int order = compare_listed(running, i, wanted, j);

		if (order < 0) {
			gone[deletions++] = running->denies[i].key;
		} else if (order > 0) {
			values[additions] = wanted->denies[j].key.length;
			added[additions++] = wanted->denies[j].key;
		}
		i += order <= 0;
		j += order >= 0;
	}
	if (!result && deletions)
		result = map_delete_batch(commit->balancer->map[MAP_DENY], gone, &deletions);
	if (!result && additions) {
		request_sweep(commit->balancer);
		result = map_update_batch(commit->balancer->map[MAP_DENY], added, values,
					  &additions);
	}
	free(gone);
	free(added);
	free(values);
	return result;
}

static void write_settings(struct balancer *balancer, const struct configuration *running,
			   const struct configuration *wanted)
{
	const struct config *settings = balancer->config;

	if (running->tcp_timeout != wanted->tcp_timeout)
		store(settings->tcp_timeout, wanted->tcp_timeout);
	if (running->fin_timeout != wanted->fin_timeout)
		store(settings->fin_timeout, wanted->fin_timeout);
	if (running->udp_timeout != wanted->udp_timeout)
		store(settings->udp_timeout, wanted->udp_timeout);
	if (running->pmtu != wanted->pmtu)
		store(settings->pmtu, wanted->pmtu);
}

static int execute(struct commit *commit)
{
	int result = delete_services(commit);

	if (!result)
		result = write_records(commit);
	if (!result)
		result = sync_pool(commit->balancer, commit->wanted);
	if (!result)
		result = make_tables(commit);
	if (!result)
		result = commit_services(commit);
	if (!result && commit->wanted->has_denies)
		result = write_denies(commit);
	if (!result)
		write_settings(commit->balancer, commit->running, commit->wanted);
	return result;
}

/* Afterwards: brings the rest in line with what is in force now, which after a failure may be part
 * of the old and of the new, and throws out old tables if there are many. */
static void clean_up(struct commit *commit, bool failed)
{
	for (unsigned int i = 0; i < commit->count; i++)
		close(commit->tables[i].map);
	free(commit->tables);
	if (failed) {
		struct configuration config;

		end_update(&commit->update->call);
		if (!read_config(commit->balancer, &config, false)) {
			reconcile(commit->balancer, &config, false);
			config_free(&config);
		}
		return;
	}
	mark_used(&commit->used, commit->wanted, NULL);
	bring_in_line(commit->balancer, commit->wanted, &commit->used);
	resume_caching(commit->balancer);
	sweep_flows(commit->balancer, commit->wanted);
	end_update(&commit->update->call);
	drop_tables(commit->balancer, commit->running->has_table, &commit->used);
}

static int plan(struct commit *commit)
{
	int result = 0;

	for (unsigned int i = 0; i < commit->wanted->count && !result; i++) {
		struct config_service *service = &commit->wanted->services[i];

		if (is_changed(commit, service))
			result = plan_table(config_find(commit->running, &service->vip), service);
	}
	return result;
}

enum status write_config(struct balancer *balancer, const struct configuration *running,
			 struct configuration *wanted, bool dry)
{
	struct table_update update = { .count = 0 };
	struct commit commit = {
		.balancer = balancer,
		.running = running,
		.wanted = wanted,
		.update = &update,
	};
	enum status status;
	int result;

	mark_used(&commit.used, running, wanted);
	status = assign_numbers(wanted, &commit.used);
	if (status)
		return status;
	if (wanted->has_denies && wanted->deny_count > MAX_DENIED)
		return fail(FAILED, "no room for more than %u denied prefixes", MAX_DENIED);
	for_each_service(service, wanted)
		judge_backends(service);
	set_generations(&commit);
	if (dry) {
		result = plan(&commit);
	} else {
		result = write_journal(balancer, wanted);
		if (!result) {
			result = execute(&commit);
			clean_up(&commit, result);
			remove_journal(balancer);
		}
	}
	if (result)
		return fail(FAILED, "cannot change the balancer: %s", strerror(-result));
	return DONE;
}
