// SPDX-License-Identifier: GPL-2.0
/* See setup.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kernel.h"
#include "setup.h"
#include "timing.h"

struct setup setup = {
	.name = "",
	.mode = "dsr",
	.protocol = "tcp",
	.kinds = "data",
	.flows = "1",
	.family = 4,
	.services = 1,
	.backends = 2,
	.rounds = 1,
	.port = BENCH_PORT,
	.vip_shift = 3,
	.rivals = 1,
	.patience = 3,
	.begin = 10000,
};

uint32_t flow_counts[MAX_COUNTS];
int counts;
bool is_nat, is_dnat, is_tcp;

static const struct {
	const char *word;
	const char **text; /* or */
	int *number;
} options[] = {
	{ "name", &setup.name, NULL },
	{ "program", &setup.program, NULL }, /* its id */
	{ "pins", &setup.pins, NULL }, /* directory of the programs of bench.bpf.c */
	{ "helper", &setup.helper, NULL }, /* xdp-lb and its selector */
	{ "mode", &setup.mode, NULL },
	{ "family", NULL, &setup.family },
	{ "protocol", &setup.protocol, NULL },
	{ "kinds", &setup.kinds, NULL }, /* with commas between, see below */
	{ "flows", &setup.flows, NULL },
	{ "services", NULL, &setup.services },
	{ "backends", NULL, &setup.backends }, /* of each */
	{ "rounds", NULL, &setup.rounds },
	{ "ifindex", NULL, &setup.ifindex },
	{ "answer_ifindex", NULL, &setup.answer_ifindex },
	{ "vip", &setup.vip, NULL },
	{ "backend", &setup.backend, NULL },
	{ "port", NULL, &setup.port },
	{ "vip_shift", NULL, &setup.vip_shift },
	{ "vip_spread", NULL, &setup.vip_spread },
	{ "client_shift", NULL, &setup.client_shift },
	{ "vlan", NULL, &setup.vlan },
	{ "silent", NULL, &setup.silent },
	{ "rivals", NULL, &setup.rivals },
	{ "patience", NULL, &setup.patience },
	{ "begin", NULL, &setup.begin },
	{ "exhaust", NULL, &setup.exhaust },
};

static void parse_word(char *word)
{
	char *value = strchr(word, '=');
	size_t length = value ? (size_t)(value++ - word) : 0;

	for (size_t i = 0; value && i < sizeof(options) / sizeof(*options); i++) {
		if (strlen(options[i].word) != length || strncmp(options[i].word, word, length))
			continue;
		if (options[i].text)
			*options[i].text = value;
		else
			*options[i].number = atoi(value);
		return;
	}
	errno = 0;
	die("'%s' is not one of the words, =, and a value", word);
}

void parse_setup(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		parse_word(argv[i]);
	errno = 0;
	if (!setup.program || !setup.pins || !setup.helper || setup.rounds > MAX_ROUNDS)
		die("program=, pins=, helper= and rounds= up to %d are needed", MAX_ROUNDS);
	patience = setup.patience;
	is_nat = !strncmp(setup.mode, "nat", 3); /* nat-least too */
	is_dnat = !strncmp(setup.mode, "dnat", 4); /* dnat-fib too */
	is_tcp = !strcmp(setup.protocol, "tcp");
	for (const char *at = setup.flows; at && counts < MAX_COUNTS; at = strchr(at, ',')) {
		at += *at == ',';
		flow_counts[counts++] = atoi(at);
	}
}

uint32_t most_flows(void)
{
	uint32_t most = 0;

	for (int i = 0; i < counts; i++)
		if (flow_counts[i] > most)
			most = flow_counts[i];
	return most;
}

/* The sum of the words of an IPv4 header that are the same in every packet. */
static uint32_t constant_sum(void)
{
	return htons(0x4500) + htons(BENCH_FRAME - ETH_HLEN) + htons(0x4000) +
	       htons(64 << 8 | (is_tcp ? IPPROTO_TCP : IPPROTO_UDP));
}

static uint32_t address_of(const char *text, uint32_t normal)
{
	return text ? ntohl(inet_addr(text)) : normal;
}

void start_packets(uint8_t flags, uint32_t vip_added, uint32_t port_added)
{
	*bench = (struct bench){
		.services = setup.services,
		.backends = setup.backends,
		.vip = address_of(setup.vip, BENCH_VIP) + vip_added,
		.vip_shift = setup.vip_shift,
		.vip_spread = setup.vip_spread,
		.port = setup.port + port_added,
		.port_mask = (1 << setup.vip_shift) - 1,
		.client_shift = setup.client_shift,
		.backend = address_of(setup.backend, BENCH_BACKEND),
		.sum = constant_sum(),
		.frame = BENCH_FRAME + (setup.vlan ? 4 : 0),
		.vlan = setup.vlan,
		.ipv6 = setup.family == 6,
		.udp = !is_tcp,
		.grows = !strcmp(setup.mode, "ipip"),
		.visible = is_dnat,
		.flags = flags,
		.steps = is_tcp	      ? 3 :
			 setup.silent ? 1 :
					2,
	};
	set_device(setup.ifindex);
}

uint32_t open_flows(int program, uint32_t first, uint32_t flows)
{
	start_packets(TCP_ACK, 0, 0);
	errno = 0;
	if (first + flows > BENCH_LEARNT)
		die("flow %u is too many", first + flows);
	bench->flows = UINT32_MAX;
	bench->next = first;
	send_openings(program, flows * bench->steps);
	return bench->failures;
}
