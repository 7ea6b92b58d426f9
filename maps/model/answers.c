// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "model/answers.h"

/* What the configuration asks for. */
struct plan {
	struct real_key *real; /* by the backend's number; address 0: none */
	__u32 flag; /* CONFIG_DNAT, or 0 */
};

static bool make_plan(struct plan *plan, const struct configuration *config)
{
	*plan = (struct plan){ .real = calloc(MAX_BACKENDS + 1, sizeof(*plan->real)) };
	for (unsigned int i = 0; i < config->count && plan->real; i++) {
		const struct config_service *service = &config->services[i];

		for (unsigned int j = 0; j < service->count && service->mode == MODE_DNAT; j++) {
			struct real_key *key = &plan->real[service->backends[j].number];

			real_key(service, &service->backends[j], key);
			plan->flag = CONFIG_DNAT;
		}
	}
	return plan->real;
}

/* What the answers of a service become; nothing names that before its backends are known. */
static void write_answer(struct balancer *balancer, const struct config_service *service)
{
	const struct answer *answer = &balancer->answers[service->number];
	struct answer content = {
		.vip = service->vip.address,
		.port = service->vip.port,
		.vip_number = service->vip_number,
		.via = answer->via,
	};

	if (memcmp(answer, &content, sizeof(content)))
		store_bytes(answer, &content, sizeof(content));
	if (answer->via != service->via.number)
		store(answer->via, service->via.number);
}

static int write_reals(struct balancer *balancer, const struct plan *plan)
{
	int map = balancer->map[MAP_REALS], result = 0;

	for (__u32 i = 1; i <= MAX_BACKENDS && !result; i++) {
		const struct real_key *key = &plan->real[i];
		__u32 number;

		if (is_zero_address(&key->address) ||
		    (!map_lookup(map, key, &number) && number == i))
			continue;
		stop_caching(balancer);
		result = map_update(map, key, &i, BPF_ANY);
	}
	return result;
}

static int write_plan(struct balancer *balancer, const struct configuration *config,
		      const struct plan *plan)
{
	int result;

	for_each_service(service, config) {
		if (service->mode == MODE_DNAT)
			write_answer(balancer, service);
	}
	result = write_reals(balancer, plan);
	if (plan->flag & ~balancer->config->flags) {
		stop_caching(balancer); /* of addresses whose own ones were not asked for */
		set_bits(&balancer->config->flags, plan->flag);
	}
	return result;
}

int write_answers(struct balancer *balancer, const struct configuration *config)
{
	struct plan plan;
	int result = -ENOMEM;

	if (make_plan(&plan, config))
		result = write_plan(balancer, config, &plan);
	free(plan.real);
	return result;
}

static void delete_reals(struct balancer *balancer, const struct plan *plan)
{
	struct real_key *keys = malloc(MAX_BACKENDS * sizeof(*keys)), *previous = NULL;
	int map = balancer->map[MAP_REALS];
	unsigned int count = 0;
	__u32 number;

	while (keys && count < MAX_BACKENDS && !map_next_key(map, previous, &keys[count]))
		previous = &keys[count++];
	for (unsigned int i = 0; i < count; i++) {
		if (!map_lookup(map, &keys[i], &number) && number <= MAX_BACKENDS &&
		    !memcmp(&plan->real[number], &keys[i], sizeof(*keys)))
			continue;
		stop_caching(balancer);
		map_delete(map, &keys[i]);
	}
	free(keys);
}

void reconcile_answers(struct balancer *balancer, const struct configuration *config)
{
	struct plan plan;

	if (make_plan(&plan, config)) {
		write_plan(balancer, config, &plan);
		delete_reals(balancer, &plan);
		if (balancer->config->flags & CONFIG_DNAT & ~plan.flag)
			clear_bits(&balancer->config->flags, CONFIG_DNAT);
	}
	free(plan.real);
}
