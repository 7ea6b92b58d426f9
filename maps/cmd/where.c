// SPDX-License-Identifier: GPL-2.0
/*
 * where: asks the attached program itself, by a dry run on a made-up packet (see struct decision in
 * xdp_lb.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "cmd/print.h"
#include "cmd/where.h"
#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "lib/text.h"
#include "model/discover.h"

#define PACKET_TTL 64
#define UNANSWERED 0xffff /* verdict of a program that knows no dry runs */

bool parse_where(struct words *words, struct request *request)
{
	const char *word;

	if (!take_vip(words, request))
		return false;
	request->has_vip = false; /* of a service, or of none: the program decides */
	if (request->vip.port == ANY_PORT) {
		fail(WRONG, "'%s': expected the port that the client connects to",
		     text_of_vip(&request->vip).s);
		return false;
	}
	word = next_word(words, "a client");
	if (!word || !parse_client(word, &request->real) || !no_more_words(words))
		return false;
	if (is_ipv4(&request->vip.address) == is_ipv4(&request->real.address))
		return true;
	fail(WRONG, "'%s': expected a client of the service's family",
	     text_of_socket(&request->real).s);
	return false;
}

/* A made-up frame, behind the room for the decision. */
struct frame {
	char bytes[128];
	__u32 size;
};

static void append(struct frame *frame, const void *header, size_t size)
{
	memcpy(frame->bytes + frame->size, header, size);
	frame->size += size;
}

static __sum16 header_checksum(const struct iphdr *ip)
{
	const __u8 *bytes = (const __u8 *)ip;
	__u32 sum = 0;

	for (size_t i = 0; i < sizeof(*ip); i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)) & 0xffff);
}

static void append_ipv4(struct frame *frame, const struct request *request, size_t payload)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + payload),
		.ttl = PACKET_TTL,
		.protocol = request->vip.protocol,
		.saddr = request->real.address.word[3],
		.daddr = request->vip.address.word[3],
	};

	ip.check = header_checksum(&ip);
	append(frame, &ip, sizeof(ip));
}

static void append_ipv6(struct frame *frame, const struct request *request, size_t payload)
{
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = htons(payload),
		.nexthdr = request->vip.protocol,
		.hop_limit = PACKET_TTL,
	};

	memcpy(&ip.saddr, &request->real.address, sizeof(ip.saddr));
	memcpy(&ip.daddr, &request->vip.address, sizeof(ip.daddr));
	append(frame, &ip, sizeof(ip));
}

/* Makes the packet that the client would send. */
static void fill_frame(struct frame *frame, const struct request *request, const __u8 *own_mac,
		       bool is_syn)
{
	bool ipv4 = is_ipv4(&request->vip.address), tcp = request->vip.protocol == IPPROTO_TCP;
	struct decision decision = { .verdict = UNANSWERED };
	struct ethhdr eth = {
		.h_source = { 2 },
		.h_proto = htons(ipv4 ? ETH_P_IP : ETH_P_IPV6),
	};
	struct tcphdr segment = {
		.source = request->real.port,
		.dest = request->vip.port,
		.doff = sizeof(segment) / 4,
		.syn = is_syn,
		.ack = !is_syn,
		.window = htons(65535),
	};
	struct udphdr datagram = {
		.source = request->real.port,
		.dest = request->vip.port,
		.len = htons(sizeof(datagram)),
	};
	size_t payload = tcp ? sizeof(segment) : sizeof(datagram);

	frame->size = 0;
	memcpy(eth.h_dest, own_mac, ETH_ALEN);
	append(frame, &decision, sizeof(decision));
	append(frame, &eth, sizeof(eth));
	if (ipv4)
		append_ipv4(frame, request, payload);
	else
		append_ipv6(frame, request, payload);
	append(frame, tcp ? (void *)&segment : (void *)&datagram, payload);
}

/* Where the program runs: what the packet must look like to be for it. */
struct stage {
	int program;
	int ifindex; /* 0: attached nowhere */
	__u8 mac[6];
};

static enum status dry_run(const struct stage *stage, const struct request *request, bool is_syn,
			   struct decision *decision)
{
	struct xdp_md context = {
		.data = sizeof(*decision),
		.ingress_ifindex = stage->ifindex,
	};
	char out[2 * sizeof(struct frame)];
	struct frame frame;
	int result;

	fill_frame(&frame, request, stage->mac, is_syn);
	context.data_end = frame.size;
	result = program_test_run(stage->program, frame.bytes, frame.size, out, sizeof(out),
				  &context, sizeof(context));
	if (result)
		return fail(FAILED, "cannot run the balancer's program: %s", strerror(-result));
	memcpy(decision, out, sizeof(*decision));
	if (decision->verdict == UNANSWERED)
		return fail(FAILED, "the program on the device is not the balancer's: no answer");
	return DONE;
}

/* The decision on the flow's next packet: the flow goes on if it is known, else it begins. */
static enum status decide(const struct stage *stage, const struct request *request,
			  struct decision *decision)
{
	enum status status = dry_run(stage, request, false, decision);

	if (status || decision->choice == CHOICE_FLOW || request->vip.protocol != IPPROTO_TCP)
		return status;
	return dry_run(stage, request, true, decision);
}

static void find_mac(int ifindex, __u8 *mac)
{
	struct device *devices = NULL;
	const struct device *device;
	int netlink = netlink_open(), count;

	if (netlink < 0)
		return;
	count = netlink_devices(netlink, &devices);
	device = find_device(devices, count, ifindex);
	if (device)
		memcpy(mac, device->mac, sizeof(device->mac));
	free(devices);
	close(netlink);
}

/* A test run's device counts in the caller's namespace. */
static enum status ask_program(struct balancer *balancer, const struct request *request,
			       struct decision *decision)
{
	struct stage stage = { 0 };
	__u32 program = balancer->program;
	enum status status = place_balancer(balancer);
	int previous;

	if (status)
		return status;
	if (!has_data_path(balancer))
		return fail(FAILED, "a socket's backend is drawn when it connects, not before");
	if (balancer->place.ifindex)
		program = balancer->place.program;
	stage.ifindex = balancer->place.ifindex;
	stage.program = program ? program_open_id(program) : -ENOENT;
	if (stage.program < 0)
		return fail(FAILED, "the balancer's program is not loaded");
	previous = netns_enter(&balancer->netns);
	if (previous < 0) {
		close(stage.program);
		return fail(FAILED, "cannot enter the balancer's network namespace: %s",
			    strerror(-previous));
	}
	find_mac(stage.ifindex, stage.mac);
	status = decide(&stage, request, decision);
	netns_leave(previous);
	close(stage.program);
	return status;
}

static const char *explain(const struct decision *decision)
{
	if (decision->verdict != VERDICT_FORWARDED && decision->verdict != VERDICT_REDIRECTED)
		return reason_name(decision->verdict);
	return choice_name(decision->choice);
}

/* The address of the pool that the backend sees as its client. */
static void show_source(const struct balancer *balancer, const struct decision *decision)
{
	const struct address *source =
		&balancer->addresses[POOL_NUMBER(decision->source % (MAX_POOL + 1))];

	if (decision->source)
		print_string("source", " from %s", text_of_address(source).s);
}

static void show_decision(const struct balancer *balancer, const struct request *request,
			  const struct decision *decision)
{
	bool is_sent = decision->verdict == VERDICT_FORWARDED ||
		       decision->verdict == VERDICT_REDIRECTED;
	const struct backend *record = &balancer->backends[decision->backend % (MAX_BACKENDS + 1)];
	struct endpoint real = {
		.address = record->address,
		.port = record->port ? record->port : request->vip.port,
	};

	open_object(NULL);
	print_string("vip", NULL, text_of_vip(&request->vip).s);
	print_string("client", NULL, text_of_socket(&request->real).s);
	if (is_sent) {
		print_text("%s", text_of_socket(&real).s);
		open_object("backend");
		print_endpoint(&real);
		close_level();
	} else {
		print_null("backend", "no backend");
	}
	show_source(balancer, decision);
	print_string("reason", " (%s)\n", explain(decision));
	close_level();
}

enum status show_where(struct view *view, const struct request *request)
{
	struct decision decision;
	enum status status = ask_program(&view->balancer, request, &decision);

	if (!status)
		show_decision(&view->balancer, request, &decision);
	return status;
}
