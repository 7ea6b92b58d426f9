// SPDX-License-Identifier: GPL-2.0
/*
 * A helper is killed after its n-th store, for every n of every kind of change, over real maps. Then
 *  - the data path finds whole services, old or new ones;
 *  - whoever reads next finds the old configuration or the new one, nothing between;
 *  - whoever changes something next leaves nothing half-done; and flows have ended if they had to,
 *    and else live.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cmd/deny.h"
#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "maps.h"
#include "model/numbers.h"
#include "model/read_table.h"
#include "model/reconcile.h"
#include "model/recover.h"
#include "model/write_config.h"
#include "view.h"

#define MOST_STORES 2000 /* of one change */
#define FLOW_PORT 4000 /* that the flow's backend sees */

static struct endpoint endpoint(const char *address, unsigned int port, __u8 protocol)
{
	struct endpoint result = { .port = htons(port), .protocol = protocol };

	result.address.word[2] = htonl(0xffff);
	inet_pton(AF_INET, address, &result.address.word[3]);
	return result;
}

static struct config_service *service_at(struct configuration *config, const char *address,
					 unsigned int port, __u8 protocol)
{
	struct endpoint vip = endpoint(address, port, protocol);

	return config_find(config, &vip);
}

static struct config_service *new_service(struct configuration *config, const char *address,
					  unsigned int port, __u8 protocol, __u8 mode, __u32 slots)
{
	struct endpoint vip = endpoint(address, port, protocol);
	struct config_service *service = config_add(config, &vip);

	service->mode = mode;
	service->slots = slots;
	return service;
}

static struct config_backend *backend_at(struct config_service *service, const char *address)
{
	struct endpoint real = endpoint(address, 0, 0);

	return backend_find(service, &real);
}

static void give_mac(struct config_backend *backend, __u8 last)
{
	backend->mac_given = true;
	backend->hop.mac[0] = 2;
	backend->hop.mac[5] = last;
}

static void new_backend(struct config_service *service, const char *address)
{
	struct endpoint real = endpoint(address, 0, 0);
	struct config_backend *backend = backend_insert(service, &real);

	backend->mtu = 1500;
	give_mac(backend, ntohl(real.address.word[3]));
}

static struct deny_key prefix(const char *address, __u32 length)
{
	struct deny_key key = { .length = 96 + length };

	key.prefix = endpoint(address, 0, 0).address;
	return key;
}

static void deny(struct configuration *config, const char *address, __u32 length)
{
	struct deny_key key = prefix(address, length);

	config_deny(config, &key, NULL);
	config_sort_denies(config);
}

#define NAT_VIP "10.0.0.10"
#define DSR_VIP "10.0.0.20"
#define DNAT_VIP "10.0.0.40"

static void leave_by(struct config_service *service, const char *address)
{
	memset(&service->via, 0, sizeof(service->via));
	service->via.real = endpoint(address, 0, 0);
	service->via.hop.mac[0] = 2;
	service->via.hop.mac[5] = 50;
}

/* What every change begins with. The flow is one of the first service and its first backend. */
static void make_old(struct configuration *config)
{
	struct config_service *service;

	config_init(config);
	config->has_denies = true;
	config->tcp_timeout = 600;
	service = new_service(config, NAT_VIP, 80, IPPROTO_TCP, MODE_NAT, 7);
	new_backend(service, "10.0.1.1");
	new_backend(service, "10.0.1.2");
	service = new_service(config, NAT_VIP, 53, IPPROTO_UDP, MODE_NAT, 7);
	new_backend(service, "10.0.1.1");
	service = new_service(config, DSR_VIP, 443, IPPROTO_TCP, MODE_DSR, 11);
	new_backend(service, "10.0.1.1");
	new_backend(service, "10.0.1.2");
	service->limit = (struct limit){ .pps = 100, .burst = 20 };
	service = new_service(config, DSR_VIP, 53, IPPROTO_UDP, MODE_DSR, 7);
	new_backend(service, "10.0.1.3");
	service = new_service(config, DNAT_VIP, 80, IPPROTO_TCP, MODE_DNAT, 7);
	new_backend(service, "10.0.1.1");
	leave_by(service, "10.0.1.50");
	deny(config, "198.51.100.0", 24);
}

static struct config_service *nat(struct configuration *config)
{
	return service_at(config, NAT_VIP, 80, IPPROTO_TCP);
}

static struct config_service *dsr(struct configuration *config)
{
	return service_at(config, DSR_VIP, 443, IPPROTO_TCP);
}

static struct config_service *dnat(struct configuration *config)
{
	return service_at(config, DNAT_VIP, 80, IPPROTO_TCP);
}

/* The changes */

static void service_add(struct configuration *config)
{
	new_backend(new_service(config, NAT_VIP, 8081, IPPROTO_TCP, MODE_NAT, 7), "10.0.1.1");
}

static void service_add_on_port(struct configuration *config)
{
	new_service(config, NAT_VIP, FLOW_PORT, IPPROTO_TCP, MODE_NAT, 7);
}

static void service_add_any_port(struct configuration *config)
{
	new_service(config, NAT_VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, 7);
}

static void service_add_vip(struct configuration *config)
{
	new_backend(new_service(config, "10.0.0.30", 80, IPPROTO_TCP, MODE_IPIP, 7), "10.0.1.9");
}

static void service_add_dnat(struct configuration *config)
{
	struct config_service *service = new_service(config, NAT_VIP, ANY_PORT, IPPROTO_UDP,
						     MODE_DNAT, 7);

	new_backend(service, "10.0.1.8");
	leave_by(service, "10.0.1.51");
}

static void service_add_user(struct configuration *config)
{
	new_service(config, NAT_VIP, 5353, IPPROTO_UDP, MODE_USER, 2);
}

static void service_del_dnat(struct configuration *config)
{
	config_remove(config, dnat(config));
}

static void service_via(struct configuration *config)
{
	leave_by(dnat(config), "10.0.1.51");
	dnat(config)->via.number = 0;
}

static void service_mode_dnat(struct configuration *config)
{
	dnat(config)->mode = MODE_DSR;
	memset(&dnat(config)->via, 0, sizeof(dnat(config)->via));
}

static void backend_swap_dnat(struct configuration *config)
{
	backend_remove(dnat(config), backend_at(dnat(config), "10.0.1.1"));
	new_backend(dnat(config), "10.0.1.5");
}

static void service_add_nat_to_dsr(struct configuration *config)
{
	new_service(config, DSR_VIP, 80, IPPROTO_TCP, MODE_NAT, 7);
}

static void service_del(struct configuration *config)
{
	config_remove(config, nat(config));
}

static void service_del_limited(struct configuration *config)
{
	config_remove(config, dsr(config));
}

static void service_del_vip(struct configuration *config)
{
	config_remove(config, dsr(config));
	config_remove(config, service_at(config, DSR_VIP, 53, IPPROTO_UDP));
}

static void service_mode(struct configuration *config)
{
	nat(config)->mode = MODE_DSR;
}

static void service_mode_nat(struct configuration *config)
{
	dsr(config)->mode = MODE_NAT;
}

static void service_table(struct configuration *config)
{
	dsr(config)->slots = 13;
}

static void service_hash(struct configuration *config)
{
	dsr(config)->hash = HASH_SOURCE;
	dsr(config)->settle = 60;
}

static void pick_least(struct configuration *config)
{
	nat(config)->pick = PICK_LEAST;
}

static void pick_hash(struct configuration *config)
{
	nat(config)->pick = PICK_HASH;
}

static void backend_add(struct configuration *config)
{
	new_backend(nat(config), "10.0.1.4");
	new_backend(dsr(config), "10.0.1.4");
}

static void backend_del(struct configuration *config)
{
	backend_remove(nat(config), backend_at(nat(config), "10.0.1.1"));
}

static void backend_del_dsr(struct configuration *config)
{
	backend_remove(dsr(config), backend_at(dsr(config), "10.0.1.1"));
}

static void backend_swap(struct configuration *config)
{
	backend_del(config);
	new_backend(nat(config), "10.0.1.5");
}

static void backend_weight(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.2")->weight = 7;
}

static void backend_mac(struct configuration *config)
{
	give_mac(backend_at(nat(config), "10.0.1.1"), 99);
	backend_at(nat(config), "10.0.1.1")->mtu = 9000;
}

static void backend_drain(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->state = STATE_DRAINING;
	backend_at(dsr(config), "10.0.1.1")->state = STATE_DRAINING;
}

static void backend_down(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->state = STATE_DOWN;
}

static void backend_up(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->state = STATE_UP;
	backend_at(dsr(config), "10.0.1.1")->state = STATE_UP;
}

static void health_ok(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->health = HEALTH_OK;
	backend_at(dsr(config), "10.0.1.1")->health = HEALTH_OK;
	backend_at(dsr(config), "10.0.1.2")->health = HEALTH_OK;
}

static void health_failing(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->health = HEALTH_FAILING;
	backend_at(dsr(config), "10.0.1.1")->health = HEALTH_FAILING;
}

static void backup(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->is_backup = true;
}

static void check_set(struct configuration *config)
{
	nat(config)->check = (struct check){
		.type = CHECK_HTTP,
		.interval = 500,
		.timeout = 1000,
		.rise = 2,
		.fall = 3,
		.word = "/health",
	};
}

static void check_ends_flows(struct configuration *config)
{
	check_set(config);
	nat(config)->check.ends_flows = true;
}

static void check_fails(struct configuration *config)
{
	backend_at(nat(config), "10.0.1.1")->health = HEALTH_FAILING;
}

static void check_panics(struct configuration *config)
{
	check_fails(config);
	backend_at(nat(config), "10.0.1.2")->health = HEALTH_FAILING;
	nat(config)->check.panic = 50;
}

static void check_del(struct configuration *config)
{
	forget_check(nat(config));
}

static void limit_set(struct configuration *config)
{
	nat(config)->limit = (struct limit){ .pps = 50, .burst = 10, .flows = 5, .conns = 9 };
}

static void limit_change(struct configuration *config)
{
	dsr(config)->limit =
		(struct limit){ .pps = 200, .burst = 40, .flows = 7, .flags = LIMIT_PER_SOURCE };
}

static void limit_del(struct configuration *config)
{
	dsr(config)->limit = (struct limit){ 0 };
}

static void new_source(struct configuration *config, const char *address)
{
	struct endpoint self = endpoint(address, 0, 0);

	source_insert(config, &self.address);
}

static void source_add(struct configuration *config)
{
	new_source(config, "10.0.0.41");
	new_source(config, "10.0.0.42");
}

static void source_drain(struct configuration *config)
{
	config->sources[0].state = STATE_DRAINING;
}

static void source_release(struct configuration *config)
{
	source_remove(config, &config->sources[0]);
}

static void sources_swap(struct configuration *config)
{
	source_release(config);
	new_source(config, "10.0.0.43");
}

static void source_to_vip(struct configuration *config)
{
	source_release(config);
	new_backend(new_service(config, "10.0.0.41", 80, IPPROTO_TCP, MODE_NAT, 7), "10.0.1.9");
}

static void vip_to_source(struct configuration *config)
{
	service_del(config);
	config_remove(config, service_at(config, NAT_VIP, 53, IPPROTO_UDP));
	new_source(config, NAT_VIP);
}

static void deny_other(struct configuration *config)
{
	deny(config, "203.0.113.0", 24);
}

static void deny_flow(struct configuration *config)
{
	deny(config, "192.0.2.0", 24);
}

static void deny_none(struct configuration *config)
{
	config->deny_count = 0;
}

static void timeouts(struct configuration *config)
{
	config->tcp_timeout = 700;
	config->fin_timeout = 30;
	config->udp_timeout = 40;
	config->pmtu = 1400;
}

static void several(struct configuration *config)
{
	service_del_vip(config);
	service_add_vip(config);
	service_add_any_port(config);
	backend_swap(config);
	limit_set(config);
	deny_none(config);
	deny(config, "203.0.113.9", 32);
	timeouts(config);
}

static void everything_goes(struct configuration *config)
{
	config_free(config);
	config->has_denies = true;
}

/* As main.c runs those that write to a map without a change of the configuration in memory. */
static _Noreturn void run_store(enum status (*run)(struct balancer *, const struct request *),
				struct deny_key key)
{
	struct request request = { .prefix = key };
	struct balancer balancer;
	struct configuration config;

	open_maps(&balancer);
	if (lock_balancer(&balancer) || recover_config(&balancer, &config, false, false) ||
	    run(&balancer, &request))
		_exit(1);
	reconcile(&balancer, &config, false);
	_exit(0);
}

static void deny_single(void)
{
	run_store(insert_deny, prefix("192.0.2.0", 24));
}

static void deny_delete(void)
{
	run_store(delete_deny, prefix("198.51.100.0", 24));
}

struct change_case {
	const char *name;
	void (*change)(struct configuration *config);
	bool ends_flow;
	void (*before)(struct configuration *config); /* what `old` has besides */
	void (*command)(void); /* that makes the change in a way of its own */
};

static const struct change_case cases[] = {
	{ .name = "service add", .change = service_add },
	{ .name = "service add, on a flow's port",
	  .change = service_add_on_port,
	  .ends_flow = true },
	{ .name = "service add, any port", .change = service_add_any_port },
	{ .name = "service add, a new VIP", .change = service_add_vip },
	{ .name = "service add, mode dnat", .change = service_add_dnat },
	{ .name = "service add, mode user", .change = service_add_user },
	{ .name = "service del, mode dnat", .change = service_del_dnat },
	{ .name = "another next hop, mode dnat", .change = service_via },
	{ .name = "mode dnat no more", .change = service_mode_dnat },
	{ .name = "another backend, mode dnat", .change = backend_swap_dnat },
	{ .name = "service add, nat beside dsr", .change = service_add_nat_to_dsr },
	{ .name = "service del", .change = service_del, .ends_flow = true },
	{ .name = "service del, with a limit", .change = service_del_limited },
	{ .name = "service del, and its VIP", .change = service_del_vip },
	{ .name = "mode nat to dsr", .change = service_mode, .ends_flow = true },
	{ .name = "mode dsr to nat", .change = service_mode_nat },
	{ .name = "table", .change = service_table },
	{ .name = "hash and settle", .change = service_hash },
	{ .name = "pick least", .change = pick_least },
	{ .name = "pick hash", .change = pick_hash, .before = pick_least },
	{ .name = "backend add to the list", .change = backend_add, .before = pick_least },
	{ .name = "backend down on the list",
	  .change = backend_down,
	  .before = pick_least,
	  .ends_flow = true },
	{ .name = "backend add", .change = backend_add },
	{ .name = "backend del", .change = backend_del, .ends_flow = true },
	{ .name = "backend del, dsr", .change = backend_del_dsr },
	{ .name = "backend del and add", .change = backend_swap, .ends_flow = true },
	{ .name = "backend set weight", .change = backend_weight },
	{ .name = "backend set mac", .change = backend_mac },
	{ .name = "backend drain", .change = backend_drain },
	{ .name = "backend down", .change = backend_down, .ends_flow = true },
	{ .name = "backend up from drain", .change = backend_up, .before = backend_drain },
	{ .name = "backend up from down", .change = backend_up, .before = backend_down },
	{ .name = "health ok", .change = health_ok },
	{ .name = "health failing", .change = health_failing, .before = health_ok },
	{ .name = "health ok again", .change = health_ok, .before = health_failing },
	{ .name = "backup", .change = backup },
	{ .name = "check set", .change = check_set },
	{ .name = "a check fails, on-fail drain", .change = check_fails, .before = check_set },
	{ .name = "a check fails, on-fail down",
	  .change = check_fails,
	  .before = check_ends_flows,
	  .ends_flow = true },
	{ .name = "all checks fail, panic", .change = check_panics, .before = check_ends_flows },
	{ .name = "check del", .change = check_del, .before = check_ends_flows },
	{ .name = "limit set", .change = limit_set },
	{ .name = "limit change", .change = limit_change },
	{ .name = "limit del", .change = limit_del },
	{ .name = "source add", .change = source_add },
	{ .name = "source del", .change = source_drain, .before = source_add },
	{ .name = "source that has no flow left", .change = source_release, .before = source_add },
	{ .name = "source del and add", .change = sources_swap, .before = source_add },
	{ .name = "source becomes a VIP", .change = source_to_vip, .before = source_add },
	{ .name = "VIP becomes a source", .change = vip_to_source, .ends_flow = true },
	{ .name = "deny, others", .change = deny_other },
	{ .name = "deny, the flow's source", .change = deny_flow, .ends_flow = true },
	{ .name = "deny no more", .change = deny_none },
	{ .name = "timeouts", .change = timeouts },
	{ .name = "several at once", .change = several, .ends_flow = true },
	{ .name = "everything goes", .change = everything_goes, .ends_flow = true },
	{ .name = "deny add", .change = deny_flow, .ends_flow = true, .command = deny_single },
	{ .name = "deny del", .change = deny_none, .command = deny_delete },
};

/* Makes `wanted` run, as apply does. */
static enum status write_whole(struct balancer *balancer, const struct configuration *wanted)
{
	struct configuration running, copy;
	enum status status = lock_balancer(balancer);

	if (!status)
		status = recover_config(balancer, &running, true, false);
	if (status || !config_copy(&copy, wanted))
		return FAILED;
	adopt_numbers(&copy, &running);
	status = write_config(balancer, &running, &copy, false);
	config_free(&copy);
	config_free(&running);
	unlock_balancer(balancer);
	return status;
}

static enum status read_whole(struct balancer *balancer, struct configuration *config,
			      bool is_reader)
{
	enum status status = lock_balancer(balancer);

	if (!status)
		status = recover_config(balancer, config, true, is_reader);
	unlock_balancer(balancer);
	return status;
}

/* A flow of the first service: it lives as long as nothing ends it. */
static void plant_flow(struct balancer *balancer, const struct configuration *running)
{
	struct endpoint vip = endpoint(NAT_VIP, 80, IPPROTO_TCP), real = endpoint("10.0.1.1", 0, 0);
	const struct config_service *service = config_find(running, &vip);
	const struct config_backend *backend = backend_find(service, &real);
	struct flow flow = {
		.cookie = 1,
		.seen = tick_now(),
		.client.peer = endpoint("192.0.2.1", 0, 0).address,
		.client.peer_port = htons(1000),
		.client.vip_port = htons(80),
		.client.vip = service->vip_number,
		.client.protocol = IPPROTO_TCP,
		.port = htons(FLOW_PORT),
		.backend = backend->number,
		.generation = backend->generation,
		.state = FLOW_NAT | FLOW_ESTABLISHED,
	};

	map_flows(balancer);
	store_bytes(balancer->flows, &flow, sizeof(flow));
}

static bool flow_lives(const struct balancer *balancer)
{
	const struct flow *flow = balancer->flows;

	return flow->cookie && flow->generation == balancer->backends[flow->backend].generation;
}

/* Every service has carried packets: so a change begins transitions. */
static void plant_stats(const struct balancer *balancer)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct service_stats *stats = calloc(cpus, sizeof(*stats));

	for (__u32 i = 1; i <= 16 && stats; i++) {
		stats->unused = 1;
		map_update(balancer->map[MAP_SVC_STATS], &i, stats, BPF_ANY);
	}
	free(stats);
}

static unsigned int stores_left, kills;

static void die_after_store(void)
{
	if (!--stores_left)
		kill(getpid(), SIGKILL);
}

/* Makes the change in a process that is killed after `stores` of its stores. Returns its status. */
static int change_and_die(const struct change_case *test, const struct configuration *new,
			  unsigned int stores)
{
	struct balancer balancer;
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		stores_left = stores;
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* that flows have ended */
		store_hook = die_after_store;
		if (test->command)
			test->command();
		open_maps(&balancer);
		_exit(write_whole(&balancer, new));
	}
	waitpid(child, &status, 0);
	return status;
}

struct texts {
	char *old, *new;
};

/* Whether what is read is old or new. */
static const char *read_again(struct balancer *balancer, const struct texts *texts, bool is_reader,
			      bool *is_new)
{
	const char *fault = NULL;
	struct configuration config;
	char *text;

	if (read_whole(balancer, &config, is_reader))
		return "cannot be read";
	text = describe(&config);
	*is_new = !strcmp(text, texts->new);
	if (!*is_new && strcmp(text, texts->old) != 0)
		fault = "is between old and new";
	else if (!is_reader)
		fault = find_leftover(balancer, &config);
	free(text);
	config_free(&config);
	return fault;
}

static bool has_journal(const struct balancer *balancer)
{
	char path[100];

	snprintf(path, sizeof(path), "/run/xdp-lb.%u", balancer->id);
	return !access(path, F_OK);
}

/* All that is to hold after the kill. `is_new`: what was then read is the new configuration. */
static const char *look_after(struct balancer *balancer, const struct change_case *test,
			      const struct configuration *old, const struct configuration *new,
			      const struct texts *texts, bool *is_new)
{
	const char *fault = find_fault(balancer, old, new);
	bool before = false;

	if (!fault)
		fault = read_again(balancer, texts, true, &before);
	if (!fault)
		fault = find_fault(balancer, old, new);
	if (!fault)
		fault = read_again(balancer, texts, false, is_new);
	if (!fault && before != *is_new)
		fault = "is not what was read before";
	if (!fault && has_journal(balancer))
		fault = "still is to be made anew";
	if (!fault && flow_lives(balancer) != !(*is_new && test->ends_flow))
		fault = flow_lives(balancer) ? "the flow lives" : "the flow has ended";
	return fault;
}

/* Kills after one store. Returns the fault, and in *done whether the change had fewer. */
static const char *try_kill(struct balancer *balancer, const struct change_case *test,
			    const struct configuration *old, const struct configuration *new,
			    const struct texts *texts, unsigned int stores, bool *done)
{
	__u32 generation;
	struct configuration running;
	const char *fault;
	bool is_new = false;
	__u64 sum;
	int status;

	if (write_whole(balancer, old) || read_whole(balancer, &running, false))
		return "cannot begin";
	plant_stats(balancer);
	plant_flow(balancer, &running);
	config_free(&running);
	sum = sum_of_cached(balancer);
	generation = balancer->config->generation;
	status = change_and_die(test, new, stores);
	*done = !WIFSIGNALED(status);
	if (*done && status)
		return "the change failed";
	if (sum != sum_of_cached(balancer) && generation == balancer->config->generation)
		return "what is cached has changed, and may be used";
	fault = look_after(balancer, test, old, new, texts, &is_new);
	return fault ? fault : *done && !is_new ? "is old after all" : NULL;
}

static void test_change(struct balancer *balancer, const struct change_case *test)
{
	const char *fault = NULL;
	unsigned int stores = 0;
	struct configuration old, new;
	struct texts texts;
	bool done = false;

	make_old(&old);
	if (test->before)
		test->before(&old);
	config_copy(&new, &old);
	test->change(&new);
	texts = (struct texts){ describe(&old), describe(&new) };
	while (!fault && !done && stores < MOST_STORES)
		fault = try_kill(balancer, test, &old, &new, &texts, ++stores, &done);
	check(test->name, !fault && done, "killed after store %u: %s", stores, fault);
	kills += stores - 1;
	free(texts.old);
	free(texts.new);
	config_free(&old);
	config_free(&new);
}

/* Makes tables that no service has, one for each number up to `last`, as those that were replaced
 * a moment ago. Returns whether they are there. */
static bool leave_tables(const struct balancer *balancer, int *maps, __u32 last)
{
	bool good = true;

	for (__u32 i = 1; i <= last; i++) {
		char name[BPF_OBJ_NAME_LEN];

		name_table(name, balancer, i);
		maps[i] = map_create_array(name, sizeof(struct slots), 1, BPF_F_MMAPABLE);
		good = good && maps[i] >= 0;
	}
	return good;
}

/* Tables take a while to go. So there are two of a number, older or newer: one is what runs. */
static void test_replaced_tables(struct balancer *balancer)
{
	enum { LAST = 20 };
	int older[LAST + 1], newer[LAST + 1];
	struct configuration old, running;
	const char *fault = "no tables";
	struct texts texts;
	bool is_new;

	make_old(&old);
	texts.old = texts.new = describe(&old);
	config_init(&running);
	if (!write_whole(balancer, &running) && leave_tables(balancer, older, LAST) &&
	    !write_whole(balancer, &old) && leave_tables(balancer, newer, LAST))
		fault = read_again(balancer, &texts, true, &is_new);
	check("tables that were replaced", !fault, "what runs %s", fault);
	for (int i = 1; i <= LAST; i++) {
		close(older[i]);
		close(newer[i]);
	}
	free(texts.old);
	config_free(&old);
	config_free(&running);
}

int main(int argc, char **argv)
{
	struct balancer balancer;

	check("make the maps", make_maps(), "no maps");
	if (failures)
		return 1;
	open_maps(&balancer);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (argc < 2 || !strcmp(argv[1], cases[i].name))
			test_change(&balancer, &cases[i]);
	}
	test_replaced_tables(&balancer);
	printf("     helpers killed: %u\n", kills);
	close_balancer(&balancer);
	return failures != 0;
}
