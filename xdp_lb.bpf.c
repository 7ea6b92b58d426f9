// SPDX-License-Identifier: GPL-2.0
/*
 * xdp-lb: a layer-4 load balancer in one XDP program. The stages that a packet passes, each with a
 * header of its own:
 *
 *   parse      datapath/parse_fast.h, parse.h    frame -> struct packet, nothing decided
 *   find       datapath/vip.h                    is its destination a VIP, whose port is it
 *   flow       datapath/flow_table.h             mode nat: is its flow known
 *   admit      datapath/admit.h                  deny list, limits
 *   select     datapath/select.h                 which backend gets a packet of no known flow
 *   check      check_route(), datapath/rewrite.h may it be forwarded: next hop, MACs, TTL, MTU
 *   state      datapath/flow_insert.h            begin its flow, or note what it does to it
 *   rewrite    datapath/rewrite.h, dnat.h, encap.h  by mode: addresses, ports, checksums, headers
 *   account    datapath/account.h                the one exit: counters, trace
 *
 * A stage returns CONTINUE, or the verdict that ends the packet's way. All of it is written once
 * and compiled twice. The fast path has the ordinary packet in registers; where it meets anything
 * else it returns SLOW_*, before it has written anything, and the slow path begins anew. See
 * datapath/README.md.
 */
#include "datapath/account.h"
#include "datapath/admit.h"
#include "datapath/dnat.h"
#include "datapath/encap.h"
#include "datapath/flow_insert.h"
#include "datapath/fragment.h"
#include "datapath/icmp.h"
#include "datapath/parse.h"
#include "datapath/parse_fast.h"
#include "datapath/rewrite.h"
#include "datapath/select.h"
#include "datapath/vip.h"

/* Whether a packet of no known flow may begin one. TCP flows begin with SYN. */
static __always_inline bool begins_nat_flow(const struct packet *pkt)
{
	if (pkt->is_error)
		return false;
	if (pkt->protocol == IPPROTO_UDP)
		return !is_later_fragment(pkt);
	return begins_connection(pkt);
}

/*
 * Stage flow, for one direction: the NAT flow of a packet. A client that begins a connection on the
 * tuple of one that is closed ends that one. Returns CONTINUE, also where there is none.
 */
static __always_inline enum verdict find_flow(const struct frame *frame, struct packet *pkt,
					      const struct config *config, struct found *found)
{
	__u32 index = pkt->from_backend ? locate_by_backend(frame, pkt) :
					  locate_by_client(frame, pkt);

	if (index == NO_FLOW)
		return CONTINUE;
	*found = read_flow(pkt, config, index);
	if (frame->fast)
		return found->flow ? CONTINUE : SLOW_NEW_FLOW;
	if (!pkt->from_backend)
		end_closed(pkt, found);
	return CONTINUE;
}

/* Stage state, of a packet of a NAT flow. */
static __always_inline void note_packet(const struct frame *frame, struct packet *pkt,
					const struct config *config, const struct found *found)
{
	bool is_last = frame->fast ? touch_flow(frame, pkt, found->flow) :
				     update_state(frame->ctx, found->index);
	__u32 hash;

	if (!is_last)
		return;
	if (!pkt->from_backend)
		learn_client_hop(frame, found->flow);
	if (frame->fast)
		return;
	/* Lets an established flow into the cache of the fast path, and any whose client's last
	 * flow is there: else all its packets would follow that pointer, and come here. */
	hash = flow_hash_of(config, &found->flow->client);
	if (found->flow->state & FLOW_ESTABLISHED || cached_pointer(hash))
		cache_pointer(hash, make_pointer(hash, found->index));
}

/* What is known of a packet before anything is written. */
struct route {
	struct service *service; /* NULL: an answer to a port that no service has */
	struct found found; /* its NAT flow */
	struct backend *backend;
	struct answer *answer; /* mode dnat: what it becomes, if it is an answer; else NULL */
	const void *macs; /* that it gets: the next hop's, and our own */
	__u32 ifindex; /* of the device that it leaves by; 0: that which it came in by */
};

/*
 * What is switched on for all packets: deny list, trace, comparison of both paths. Returns
 * CONTINUE, or the verdict. Of a known NAT flow the source is not denied: `deny add` ends the flows
 * that it covers. Nor is that of an answer, a backend.
 */
static __always_inline enum verdict check_switches(const struct frame *frame,
						   const struct packet *pkt,
						   const struct config *config,
						   const struct route *route)
{
	const struct flow *flow = route->found.flow;

	if (frame->fast && config->flags & CONFIG_NO_FAST_PATH)
		return SLOW_SWITCHED_OFF;
	if (frame->fast && config->flags & CONFIG_TRACE &&
	    is_packet_traced(config, pkt, flow, route->answer))
		return SLOW_TRACE;
	if (!flow && !route->answer && config->flags & CONFIG_DENY &&
	    is_denied(pkt->peer[0], pkt->peer[1]))
		return VERDICT_DENIED;
	return CONTINUE;
}

/* Stage admit, deny list: whose the packet is, and may it be there. Returns CONTINUE, or the
 * verdict. */
static __always_inline enum verdict admit_packet(const struct frame *frame, struct packet *pkt,
						 const struct config *config, struct route *route)
{
	if (route->found.flow) {
		pkt->mode = MODE_NAT;
		route->backend = route->found.backend;
		pkt->service = route->backend->service;
		pkt->backend = route->found.flow->backend;
		pkt->choice = CHOICE_FLOW;
	} else {
		pkt->mode = route->service->mode;
		pkt->service = route->service->number;
	}
	if (pkt->fault)
		return pkt->fault < CONTINUE ? pkt->fault : VERDICT_INTERNAL;
	return config->flags ? check_switches(frame, pkt, config, route) : CONTINUE;
}

#define FIRST_CLIENT_PORT 1024 /* servers alone have those below */

/*
 * Whether the packet's source is asked for, as it could be our own: in mode nat where a flow
 * begins. Modes without flows would ask for each packet: they ask for datagrams of servers' ports.
 * TCP does not go round, as an answer begins no connection.
 */
static __always_inline bool may_come_round(const struct packet *pkt)
{
	if (pkt->mode == MODE_NAT)
		return true;
	return (pkt->mode == MODE_DNAT || pkt->mode == MODE_USER) && pkt->protocol == IPPROTO_UDP &&
	       bpf_ntohs(pkt->ports & 0xffff) < FIRST_CLIENT_PORT;
}

/* Stage select, for a packet of no known NAT flow. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict select_route(const struct frame *frame, struct packet *pkt,
						 bool is_hashed, struct route *route)
{
	enum verdict verdict;

	if (frame->fast && pkt->mode == MODE_NAT)
		return SLOW_NEW_FLOW;
	pkt->is_new = pkt->mode == MODE_NAT ? begins_nat_flow(pkt) : begins_connection(pkt);
	if (pkt->mode == MODE_NAT && !pkt->is_new)
		return VERDICT_NO_FLOW;
	if (may_come_round(pkt) &&
	    is_own_source(pkt->peer[0], pkt->peer[1], pkt->ports & 0xffff, pkt->protocol))
		return VERDICT_BAD_SOURCE;
	if (pkt->mode == MODE_USER) {
		verdict = check_own_mac(frame);
		return verdict == CONTINUE ? hand_to_socket(frame) : verdict;
	}
	if (!is_hashed)
		pkt->hash = slot_hash(pkt->peer, pkt->ports);
	if (!frame->fast && pkt->mode == MODE_NAT && route->service->flags & SERVICE_LEAST)
		verdict = select_least(pkt, route->service);
	else
		verdict = select_backend(frame, pkt, route->service);
	if (verdict != CONTINUE)
		return verdict;
	route->backend = backend_at(pkt->backend);
	return pkt->backend && route->backend ? CONTINUE : VERDICT_NO_BACKEND;
}

/* Stage check: may the packet be forwarded, and where to. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict check_route(const struct frame *frame, struct packet *pkt,
						struct route *route)
{
	struct next_hop next = next_hop_of(route->backend);
	const struct flow *flow = route->found.flow;
	enum verdict verdict;

	if (frame->fast && flow && !keeps_state(frame, pkt, flow))
		return SLOW_FLOW_STATE;
	if (!frame->fast && pkt->is_error && flow &&
	    !is_quote_plausible(frame->ctx, route->found.index))
		return VERDICT_NO_FLOW;
	if (!pkt->from_backend && is_zero_mac(next.hop->mac))
		return VERDICT_NO_NEIGHBOUR;
	verdict = find_macs(frame, next.hop, &route->macs);
	if (verdict != CONTINUE)
		return verdict;
	if (!route->macs)
		return VERDICT_INTERNAL;
	route->ifindex = next.hop->ifindex;
	if (pkt->mode != MODE_DSR && ttl_of(frame, pkt) <= 1)
		return frame->fast ? SLOW_TTL : VERDICT_TTL;
	if (!pkt->from_backend || !flow)
		return check_size(frame, pkt, next.mtu, overhead_of(pkt->mode, route->backend));
	route->macs = flow->client_mac;
	route->ifindex = flow->ifindex;
	return CONTINUE;
}

/* Stage check, mode dnat: the way of an answer as the kernel routes. Returns CONTINUE, or the
 * verdict. What the kernel has to resolve first is left to the host. */
static __always_inline enum verdict follow_kernel(const struct frame *frame, struct packet *pkt,
						  struct route *route)
{
	const struct packet *scratch = slow_packet();
	int result = look_up_route(frame, pkt);

	if (!scratch)
		return VERDICT_INTERNAL;
	route->macs = scratch->macs;
	route->ifindex = scratch->fib_ifindex;
	if (result == BPF_FIB_LKUP_RET_SUCCESS)
		return check_size(frame, pkt, scratch->fib_mtu, 0);
	if (frame->fast)
		return SLOW_ROUTE;
	pkt->is_left = result == BPF_FIB_LKUP_RET_NO_NEIGH || result == BPF_FIB_LKUP_RET_UNSUPP_LWT;
	if (pkt->is_left)
		return CONTINUE;
	if (result != BPF_FIB_LKUP_RET_NOT_FWDED)
		return VERDICT_NO_ROUTE;
	pkt->service =
		STATS_NO_SERVICE; /* to the host itself, or it answers that there is no way */
	return VERDICT_NO_SERVICE;
}

/* Stage check, of an answer in mode dnat: where to. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict check_answer(const struct frame *frame, struct packet *pkt,
						 struct route *route)
{
	__u32 number = route->answer->via;
	struct backend *via = number ? backend_at(number) : NULL;
	struct next_hop next = next_hop_of(route->backend);
	enum verdict verdict = find_macs(frame, next.hop, &route->macs);

	if (verdict != CONTINUE)
		return verdict;
	if (ttl_of(frame, pkt) <= 1)
		return frame->fast ? SLOW_TTL : VERDICT_TTL;
	if (!via)
		return follow_kernel(frame, pkt, route);
	next = next_hop_of(via);
	if (is_zero_mac(next.hop->mac))
		return VERDICT_NO_NEIGHBOUR;
	verdict = find_macs(frame, next.hop, &route->macs);
	route->ifindex = next.hop->ifindex;
	return verdict == CONTINUE ? check_size(frame, pkt, next.mtu, 0) : verdict;
}

/* Stage find, of a packet that is to no VIP: is it an answer in mode dnat. Returns CONTINUE, or the
 * verdict. */
static __always_inline enum verdict find_answer(struct packet *pkt, const struct config *config,
						struct route *route)
{
	__u32 number = find_sender(pkt, config);
	struct backend *backend = number ? backend_at(number) : NULL;

	if (!backend)
		return VERDICT_NO_SERVICE;
	route->answer = answer_at(backend->service);
	if (!route->answer)
		return VERDICT_NO_SERVICE;
	route->backend = backend;
	pkt->service = backend->service;
	pkt->backend = number;
	pkt->choice = CHOICE_ANSWER;
	pkt->mode = MODE_DNAT;
	pkt->from_backend = true;
	return CONTINUE;
}

/* Stages admit and check, of an answer in mode dnat. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict decide_answer(const struct frame *frame, struct packet *pkt,
						  const struct config *config, struct route *route)
{
	enum verdict verdict;

	if (pkt->fault)
		return pkt->fault < CONTINUE ? pkt->fault : VERDICT_INTERNAL;
	verdict = check_switches(frame, pkt, config, route);
	return verdict == CONTINUE ? check_answer(frame, pkt, route) : verdict;
}

/* Whether the packet goes to the host or a program on it, which limits protect as well. */
static __always_inline bool is_for_host(enum verdict verdict)
{
	return verdict == VERDICT_NO_FLOW || verdict == VERDICT_TO_SOCKET ||
	       verdict == VERDICT_NO_SOCKET;
}

/*
 * Stages admit, select and check, of a packet whose service or NAT flow is found. Returns CONTINUE
 * if it is to be forwarded, or the verdict; on the fast path SLOW_* if the slow path has to decide.
 * Writes nothing but counts of limits.
 */
static __always_inline enum verdict decide(const struct frame *frame, struct packet *pkt,
					   const struct config *config, bool is_hashed,
					   struct route *route)
{
	enum verdict verdict = admit_packet(frame, pkt, config, route);

	if (verdict != CONTINUE)
		return verdict;
	if (!route->found.flow)
		verdict = select_route(frame, pkt, is_hashed, route);
	if (verdict == CONTINUE)
		verdict = check_route(frame, pkt, route);
	if (verdict != CONTINUE && !is_for_host(verdict))
		return verdict;
	/* They count the packet, so they come when all else is decided. */
	if (!pkt->from_backend && route->service && route->service->flags & SERVICE_LIMITED) {
		enum verdict admitted = check_limits(pkt->peer[0], pkt->peer[1], pkt->service,
						     pkt->is_new, pkt->dry_run);

		if (admitted != CONTINUE)
			return admitted;
	}
	return verdict;
}

/* Stage rewrite. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict rewrite_packet(struct frame *frame, struct packet *pkt,
						   const struct route *route)
{
	switch (pkt->mode) {
	case MODE_NAT:
		if (!route->found.flow)
			return VERDICT_INTERNAL;
		if (pkt->is_error)
			translate_error(frame, pkt, &route->found);
		else
			translate(frame, pkt, &route->found);
		return CONTINUE;
	case MODE_DSR:
		return CONTINUE;
	case MODE_DNAT:
		if (pkt->from_backend && !route->answer)
			return VERDICT_INTERNAL;
		translate_dnat(frame, pkt, route->backend, route->answer);
		return CONTINUE;
	case MODE_IPIP:
		return encapsulate(frame, pkt, route->backend) ? CONTINUE : VERDICT_INTERNAL;
	default:
		return VERDICT_INTERNAL;
	}
}

/* Notes the packet in its flow, writes it, and sends it on. Returns the verdict. */
static __always_inline enum verdict forward(struct frame *frame, struct packet *pkt,
					    const struct config *config, const struct route *route)
{
	const struct flow *flow = route->found.flow;
	enum verdict verdict;

	if (!frame->fast && flow && pkt->is_error && !error_conforms(route->found.index))
		return VERDICT_RATE_LIMITED;
	if (flow && !pkt->is_error)
		note_packet(frame, pkt, config, &route->found);
	if (pkt->fragment)
		keep_ports();
	if (pkt->is_new)
		count_flow(pkt);
	verdict = rewrite_packet(frame, pkt, route);
	if (verdict != CONTINUE)
		return verdict;
	if (!frame->fast && pkt->is_left) {
		give_hop_back(frame, pkt);
		return VERDICT_LEFT_TO_HOST;
	}
	verdict = transmit(frame, route->macs, route->ifindex);
	return flow && is_flow_gone(&route->found) ? VERDICT_FLOW_GONE : verdict;
}

/* All after the stage flow; on the slow path what is written comes later, see take_slow_path(). */
static __always_inline enum verdict proceed(struct frame *frame, struct packet *pkt,
					    const struct config *config, struct route *route,
					    bool is_hashed)
{
	enum verdict verdict = decide(frame, pkt, config, is_hashed, route);

	return verdict == CONTINUE && frame->fast ? forward(frame, pkt, config, route) : verdict;
}

/*
 * The same for the fast path, a copy for each kind of packet: so the compiler knows what there is.
 * These are functions, and not arguments, since it makes one call of calls that differ by
 * constants.
 */
static __always_inline enum verdict proceed_from_client(struct frame *frame, struct packet *pkt,
							const struct config *config,
							struct route *route)
{
	pkt->from_backend = false;
	return proceed(frame, pkt, config, route, true);
}

static __always_inline enum verdict proceed_from_backend(struct frame *frame, struct packet *pkt,
							 const struct config *config,
							 struct route *route)
{
	pkt->from_backend = true;
	return proceed(frame, pkt, config, route, true);
}

static __always_inline enum verdict proceed_by_table(struct frame *frame, struct packet *pkt,
						     const struct config *config,
						     struct route *route, bool is_hashed)
{
	pkt->from_backend = false;
	route->found.flow = NULL;
	return proceed(frame, pkt, config, route, is_hashed);
}

/*
 * All after the stage parse. No NAT flow has the port of a service as its own, so a packet to such
 * a port comes from a client, and any other from a backend; only beside a service of any port both
 * are possible. Returns the verdict.
 */
static __always_inline enum verdict balance(struct frame *frame, struct packet *pkt,
					    const struct config *config, struct cached_vip *vip,
					    struct route *route)
{
	struct service *service = find_service(pkt, config, vip);
	bool stateless = vip->vip.flags & VIP_STATELESS;
	enum verdict verdict;

	route->service = service;
	if (frame->fast && !stateless)
		pkt->now = read_tick(vip);
	if (!stateless && (!service || service->flags & SERVICE_ANY_PORT)) {
		pkt->from_backend = true;
		verdict = find_flow(frame, pkt, config, &route->found);
		if (verdict != CONTINUE)
			return verdict;
		if (frame->fast && route->found.flow)
			return proceed_from_backend(frame, pkt, config, route);
		pkt->from_backend = route->found.flow != NULL;
	}
	if (!service && !route->found.flow)
		return pkt->is_error ? VERDICT_NO_FLOW : VERDICT_NO_SERVICE;
	if (!route->found.flow && !stateless && service->mode == MODE_NAT) {
		verdict = find_flow(frame, pkt, config, &route->found);
		if (verdict != CONTINUE)
			return verdict;
		if (frame->fast && route->found.flow)
			return proceed_from_client(frame, pkt, config, route);
	}
	if (frame->fast)
		return proceed_by_table(frame, pkt, config, route, stateless);
	return proceed(frame, pkt, config, route, true);
}

/*
 * Stage parse, fast path, L2: where the IP packet is, after a VLAN tag if there is one.
 * Returns the EtherType; 0 if the headers of an ordinary IPv4 packet are not all there.
 */
static __always_inline __be16 parse_frame_fast(struct frame *frame, struct packet *pkt)
{
	void *end = frame_end(frame->ctx);
	struct ethernet *eth = frame_start(frame->ctx);
	__be16 type;

	frame->eth = eth;
	frame->l3 = eth + 1;
	if (frame->l3 + headers_size(false) > end)
		return 0;
	type = eth->type;
	if (type == bpf_htons(ETH_P_IP) || !is_vlan(type))
		return type;
	type = *(__be16 *)(frame->l3 + sizeof(__be16));
	frame->l3 += VLAN_SIZE;
	pkt->l3 += VLAN_SIZE;
	return frame->l3 + headers_size(false) > end ? 0 : type;
}

/* The fast path of a packet that is to no VIP: it may be an answer in mode dnat. Returns the
 * verdict, or SLOW_*. */
static __always_inline enum verdict relay_fast(struct frame *frame, struct packet *pkt,
					       const struct config *config,
					       const struct cached_vip *vip, bool ipv6)
{
	struct route route = {};
	enum verdict verdict;

	if (!may_be_answer(pkt, config, vip))
		return VERDICT_NO_SERVICE;
	verdict = parse_sender_fast(pkt, frame->l3, ipv6);
	if (verdict == CONTINUE)
		verdict = find_answer(pkt, config, &route);
	if (verdict != CONTINUE)
		return verdict;
	if (!parse_packet_fast(pkt, frame, ipv6))
		return SLOW_HEADERS;
	verdict = decide_answer(frame, pkt, config, &route);
	return verdict == CONTINUE ? forward(frame, pkt, config, &route) : verdict;
}

/* The fast path of one family, from the IP header on. Returns as take_fast_path(). */
static __always_inline int balance_fast(struct frame *frame, struct packet *pkt,
					const struct config *config, bool ipv6)
{
	struct route route = {};
	struct cached_vip *vip;
	enum verdict verdict;

	pkt->ipv6 = ipv6;
	if (!parse_destination_fast(pkt, frame->l3, ipv6))
		return -SLOW_HEADERS;
	vip = find_vip(pkt, config);
	if (!vip)
		return XDP_ABORTED;
	if (pkt->vip_number) {
		parse_source_fast(pkt, frame->l3, ipv6);
		hash_source_fast(pkt, config, vip->vip.flags & VIP_STATELESS);
		if (!parse_packet_fast(pkt, frame, ipv6))
			return -SLOW_HEADERS;
		verdict = balance(frame, pkt, config, vip, &route);
	} else {
		verdict = relay_fast(frame, pkt, config, vip, ipv6);
	}
	return verdict > CONTINUE ? -(int)verdict : account(pkt, verdict);
}

/*
 * The fast path: an ordinary packet, in registers. Returns the XDP action, or -SLOW_*: nothing has
 * been written then.
 */
static __always_inline int take_fast_path(struct xdp_md *ctx, const struct config *config,
					  __u32 length)
{
	struct frame frame = { .ctx = ctx, .fast = true };
	struct packet pkt = { .length = length, .l3 = sizeof(struct ethernet) };
	__be16 type;

	if (is_dry_run(ctx))
		return -SLOW_HEADERS;
	type = parse_frame_fast(&frame, &pkt);
	if (type == bpf_htons(ETH_P_IP))
		return balance_fast(&frame, &pkt, config, false);
	if (type == bpf_htons(ETH_P_IPV6) && frame.l3 + headers_size(true) <= frame_end(ctx))
		return balance_fast(&frame, &pkt, config, true);
	return -SLOW_HEADERS;
}

/*
 * Stage parse, slow path, after the destination: IP and L4 headers; of an ICMP error those of the
 * packet that it is about. Returns CONTINUE, or the verdict.
 */
static __always_inline enum verdict parse_rest(struct xdp_md *ctx, struct packet *pkt)
{
	enum verdict verdict = parse_ip(ctx, pkt);

	barrier();
	if (verdict != CONTINUE)
		return verdict;
	if (is_icmp(pkt))
		return parse_error(ctx, pkt);
	if (is_later_fragment(pkt)) {
		if (is_tiny_fragment(pkt))
			return VERDICT_TINY_FRAGMENT;
		if (!recall_ports(pkt))
			return VERDICT_FRAGMENT_EARLY;
	} else if (!parse_ports(ctx, pkt)) {
		return VERDICT_NO_SERVICE;
	}
	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return VERDICT_NO_SERVICE;
	check_headers(ctx, pkt);
	return CONTINUE;
}

/* Why a packet that the fast path could not parse took the slow one. */
static __always_inline __u32 cause_of(const struct packet *pkt, __u32 cause)
{
	if (cause != SLOW_HEADERS)
		return cause;
	if (pkt->fragment)
		return SLOW_FRAGMENT;
	return is_icmp(pkt) || pkt->is_error ? SLOW_ICMP : SLOW_HEADERS;
}

static __always_inline enum verdict parse_and_decide(struct frame *frame, struct packet *pkt,
						     const struct config *config, __u32 cause,
						     struct route *route)
{
	enum verdict verdict = parse_frame(frame->ctx, pkt);
	struct cached_vip *vip;

	barrier();
	if (verdict != CONTINUE)
		return verdict;
	vip = find_vip(pkt, config);
	if (!vip)
		return VERDICT_INTERNAL;
	if (!pkt->vip_number && !may_be_answer(pkt, config, vip))
		return VERDICT_NO_SERVICE;
	pkt->now = read_tick(vip);
	verdict = parse_rest(frame->ctx, pkt);
	barrier();
	if (!pkt->vip_number) {
		if (verdict != CONTINUE || find_answer(pkt, config, route) != CONTINUE)
			return VERDICT_NO_SERVICE;
		count_slow(cause_of(pkt, cause));
		return decide_answer(frame, pkt, config, route);
	}
	if (!pkt->dry_run)
		count_slow(cause_of(pkt, cause));
	if (verdict != CONTINUE)
		return verdict;
	pkt->hash = slot_hash(pkt->peer, pkt->ports);
	pkt->flow_hash = flow_hash(config, pkt->peer, hashed_tail(pkt->ports, pkt->vip_number));
	return balance(frame, pkt, config, vip, route);
}

/*
 * The slow path is a row of functions, which leave what they find in slow_packet(): so their stacks
 * are not added up, and the verifier sees each alone.
 */

/* All up to the decision, from the first byte on. Returns CONTINUE, BEGIN_FLOW, or the verdict. */
GLOBAL int decide_slow(struct xdp_md *ctx, __u32 length, __u32 cause)
{
	struct frame frame = { .ctx = ctx };
	struct packet *pkt = slow_packet();
	struct route route = {};
	struct config *config = get_config();
	enum verdict verdict;

	if (!config || !pkt)
		return VERDICT_INTERNAL;
	draw_secret(config);
	__builtin_memset(pkt, 0, sizeof(*pkt));
	pkt->length = length;
	pkt->dry_run = is_dry_run(ctx);
	verdict = parse_and_decide(&frame, pkt, config, cause, &route);
	pkt->flow = route.found.flow ? route.found.index : NO_FLOW;
	pkt->cookie = route.found.cookie;
	if (verdict == VERDICT_TO_SOCKET && pkt->fragment && !pkt->dry_run)
		keep_ports();
	if (verdict != CONTINUE)
		return verdict;
	if (pkt->dry_run && pkt->mode == MODE_NAT)
		pkt->source = route.found.flow ? route.found.flow->source :
						 choose_source(pkt->peer[0], pkt->peer[1]);
	/* Linux 6.1 lets packets in while a dry run is under way: then what it found is theirs. */
	if (is_dry_run(ctx))
		return pkt->dry_run && pkt->mode < MODES ? VERDICT_FORWARDED : VERDICT_INTERNAL;
	return pkt->to_remember || (pkt->mode == MODE_NAT && pkt->is_new) ? BEGIN_FLOW : CONTINUE;
}

/* Forwards what was decided on. Returns the verdict. */
GLOBAL int forward_slow(struct xdp_md *ctx)
{
	struct frame frame = { .ctx = ctx };
	struct packet *pkt = slow_packet();
	struct route route = {};
	struct config *config = get_config();
	enum verdict verdict;

	if (!config || !pkt)
		return VERDICT_INTERNAL;
	route.backend = backend_at(pkt->backend);
	if (!route.backend)
		return VERDICT_INTERNAL;
	route.found = (struct found){ .index = pkt->flow, .cookie = pkt->cookie };
	route.found.backend = route.backend;
	if (pkt->flow != NO_FLOW)
		route.found.flow = flow_at(pkt->flow);
	if (route.found.flow && is_flow_gone(&route.found))
		return VERDICT_FLOW_GONE;
	if (is_dnat_answer(pkt)) {
		route.answer = answer_at(pkt->service);
		if (!route.answer)
			return VERDICT_INTERNAL;
		verdict = check_answer(&frame, pkt, &route);
	} else {
		verdict = check_route(&frame, pkt, &route);
	}
	return verdict == CONTINUE ? forward(&frame, pkt, config, &route) : (int)verdict;
}

/* The end: answers the sender if that has to be, accounts. Returns the XDP action. */
GLOBAL int finish_slow(struct xdp_md *ctx, __u32 verdict)
{
	struct packet *pkt = slow_packet();
	struct config *config = get_config();
	int action;

	keep_maps();
	if (!config || !pkt)
		return XDP_ABORTED;
	if (is_dry_run(ctx)) {
		report_decision(ctx, pkt, verdict);
		return XDP_DROP;
	}
	if (verdict == VERDICT_TTL || verdict == VERDICT_TOO_BIG)
		verdict = answer_sender(ctx, verdict);
	action = account(pkt, verdict);
	if (config->flags & CONFIG_TRACE)
		trace_packet(ctx, pkt, config, verdict);
	return action;
}

/* The slow path: any packet, anew. `cause` is why it is taken. Returns the XDP action. */
static __always_inline int take_slow_path(struct xdp_md *ctx, __u32 length, __u32 cause)
{
	int verdict = decide_slow(ctx, length, cause);

	if (verdict == BEGIN_FLOW)
		verdict = begin_flow(ctx);
	if (verdict == CONTINUE)
		verdict = forward_slow(ctx);
	return finish_slow(ctx, verdict);
}

static __always_inline int handle_frame(struct xdp_md *ctx, __u32 length)
{
	struct config *config = get_config();
	int action = config ? take_fast_path(ctx, config, length) : XDP_ABORTED;

	return action >= 0 ? action : take_slow_path(ctx, length, -action);
}

SEC("xdp")
int xdp_lb(struct xdp_md *ctx)
{
	return handle_frame(ctx, ctx->data_end - ctx->data);
}

SEC("xdp.frags")
int xdp_lb_frags(struct xdp_md *ctx)
{
	return handle_frame(ctx, bpf_xdp_get_buff_len(ctx));
}

char _license[] SEC("license") = "GPL";
