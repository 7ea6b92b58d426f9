// SPDX-License-Identifier: GPL-2.0
/*
 * xdp-lb: a layer-4 load balancer in one XDP program. A packet's way, a header for each stage:
 *
 *   parse      datapath/packet.h    frame -> struct packet, nothing decided
 *   find       datapath/service.h   is its destination a VIP, whose service is it
 *   admit      datapath/service.h   deny list, limits
 *   flow       datapath/flow.h      mode nat: is its flow known; begin one
 *   pick       datapath/pick.h      which backend gets a new flow
 *   rewrite    datapath/rewrite.h   addresses, ports, checksums, MACs (tunnel.h, icmp.h)
 *   account    datapath/account.h   the one exit: counters, trace
 *
 * Each stage returns VERDICTS to go on, or the verdict that ends the packet's way. The ordinary
 * packet of an established flow gets the same done in fewer instructions: datapath/short.h.
 */
#include "datapath/account.h"
#include "datapath/fragment.h"
#include "datapath/icmp.h"
#include "datapath/packet.h"
#include "datapath/pick.h"
#include "datapath/short.h"
#include "datapath/tunnel.h"

/* Lets an established flow into the cache of the short way. */
static __always_inline void keep_pointer(const struct packet *pkt, const struct found *found)
{
	__u32 hash;

	if (!(found->flow->state & FLOW_ESTABLISHED))
		return;
	hash = found->from_backend ? flow_hash_of(&found->flow->client) : pkt->flow_hash;
	cache_pointer(hash, make_pointer(hash, found->index));
}

/* A packet of a NAT flow, known or just begun, to its other side. */
static __always_inline enum verdict forward_nat(struct xdp_md *ctx, struct packet *pkt,
						const struct found *found)
{
	struct flow *flow = found->flow;
	struct backend *backend = backend_at(flow->backend);
	struct hop *hop;

	if (!backend)
		return VERDICT_INTERNAL;
	hop = current_hop(backend);
	if (!is_for_us(ctx, hop))
		return VERDICT_OTHER_HOST;
	if (pkt->dry_run)
		return VERDICT_FORWARDED;
	if (ttl_expires(ctx, pkt))
		return VERDICT_TTL;
	if (!found->from_backend) {
		if (!fits(ctx, pkt, backend, 0))
			return VERDICT_TOO_BIG;
		learn_way_back(ctx, flow);
	}
	track_flow(ctx, pkt, flow);
	keep_pointer(pkt, found);
	if (pkt->fragment)
		keep_ports(pkt);
	translate(ctx, pkt, found, backend);
	return send_to_other_side(ctx, found, hop);
}

static __always_inline void note_flow(struct packet *pkt, const struct found *found,
				      const struct backend *backend)
{
	pkt->service = backend->service;
	pkt->backend = found->flow->backend;
	pkt->choice = CHOICE_FLOW;
	pkt->from_backend = found->from_backend;
}

/* Admits a packet of a known NAT flow. Returns VERDICTS to go on, or the verdict. */
static __always_inline enum verdict admit_known(struct packet *pkt, const struct config *config,
						const struct found *found)
{
	struct backend *backend = backend_at(found->flow->backend);

	if (!backend)
		return VERDICT_INTERNAL;
	note_flow(pkt, found, backend);
	if (pkt->malformed)
		return VERDICT_MALFORMED;
	return found->from_backend ? VERDICTS : admit_packet(pkt, config);
}

/* Whether a packet of no known flow may begin one. TCP flows begin with SYN. */
static __always_inline bool begins_nat_flow(const struct packet *pkt)
{
	if (pkt->protocol == IPPROTO_UDP)
		return !is_later_fragment(pkt);
	return begins_connection(pkt);
}

/* Begins a flow in mode nat. Returns VERDICTS and the flow, or the verdict. */
static __always_inline enum verdict begin_nat(struct xdp_md *ctx, struct packet *pkt,
					      const struct config *config, struct found *found)
{
	enum verdict verdict;

	if (!admit_flow(pkt, config))
		return VERDICT_FLOW_LIMITED;
	if (pkt->dry_run)
		return VERDICT_FORWARDED;
	if (ttl_expires(ctx, pkt))
		return VERDICT_TTL;
	verdict = begin_flow(ctx, pkt);
	if (verdict != VERDICTS)
		return verdict;
	found->index = pkt->flow;
	found->flow = flow_at(pkt->flow);
	if (!found->flow)
		return VERDICT_INTERNAL;
	found->life = READ_ONCE(found->flow->life);
	count_flow(pkt->service, pkt->backend);
	return VERDICTS;
}

/*
 * A packet to a service in mode dsr or ipip, or an ICMP error about what a backend sent as the VIP.
 */
static __always_inline enum verdict forward_by_table(struct xdp_md *ctx, struct packet *pkt,
						     const struct config *config,
						     struct backend *backend, __u32 mode)
{
	if (begins_connection(pkt) && !admit_flow(pkt, config))
		return VERDICT_FLOW_LIMITED;
	if (pkt->dry_run)
		return VERDICT_FORWARDED;
	if (pkt->fragment)
		keep_ports(pkt);
	if (begins_connection(pkt))
		count_flow(pkt->service, pkt->backend);
	return mode == MODE_IPIP ? tunnel_packet(ctx, pkt, backend) :
				   direct_packet(ctx, pkt, backend);
}

/*
 * A packet of no known NAT flow: that of a service, or the host's own. Returns VERDICTS and the
 * flow that it began, or the verdict.
 */
static __always_inline enum verdict balance_packet(struct xdp_md *ctx, struct packet *pkt,
						   const struct config *config, struct found *found)
{
	struct service *service = find_service(pkt, config);
	struct backend *backend;
	enum verdict verdict;

	if (!service)
		return VERDICT_NO_SERVICE;
	if (pkt->malformed)
		return VERDICT_MALFORMED;
	verdict = admit_packet(pkt, config);
	if (verdict != VERDICTS)
		return verdict;
	if (service->mode == MODE_NAT && !begins_nat_flow(pkt))
		return VERDICT_NO_FLOW;
	pkt->backend = pick_backend(ctx, pkt, service);
	backend = backend_at(pkt->backend);
	if (!pkt->backend || !backend)
		return VERDICT_NO_BACKEND;
	if (is_zero_mac(current_hop(backend)->mac))
		return VERDICT_NO_NEIGHBOUR;
	if (!is_for_us(ctx, current_hop(backend)))
		return VERDICT_OTHER_HOST;
	if (service->mode == MODE_NAT)
		return begin_nat(ctx, pkt, config, found);
	return forward_by_table(ctx, pkt, config, backend, service->mode);
}

/* Relays an error about a NAT flow. */
static __always_inline enum verdict relay_to_side(struct xdp_md *ctx, struct packet *pkt,
						  const struct config *config,
						  const struct error_place *place)
{
	struct backend *backend;
	struct found found;

	found = find_flow(config, &pkt->tuple, pkt->flow_hash, tick_now(pkt));
	if (!found.flow)
		return VERDICT_NO_FLOW;
	backend = backend_at(found.flow->backend);
	if (!backend)
		return VERDICT_INTERNAL;
	note_flow(pkt, &found, backend);
	if (pkt->malformed)
		return VERDICT_MALFORMED;
	if (!is_for_us(ctx, current_hop(backend)))
		return VERDICT_OTHER_HOST;
	pkt->l3 = place->l3;
	if (ttl_expires(ctx, pkt))
		return VERDICT_TTL;
	pkt->l3 = place->icmp + sizeof(struct icmp_error);
	translate_error(ctx, pkt, place, &found, backend);
	return send_to_other_side(ctx, &found, current_hop(backend));
}

/*
 * An ICMP packet to a VIP: an error about a flow, or the host's. Returns VERDICTS for an error
 * about what a backend has sent as the VIP (dsr, ipip): it goes the way of the flow, whose tuple
 * the packet has now.
 */
GLOBAL int relay_error(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 zero = 0;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct error_place place;
	struct service *service;
	struct icmp_error *icmp;
	bool malformed;

	if (!pkt || !config)
		return VERDICT_INTERNAL;
	place = (struct error_place){ pkt->l3, pkt->l4, pkt->l4 + pkt->payload };
	malformed = pkt->malformed || (!pkt->ipv6 && !ipv4_intact(ctx, pkt));
	icmp = frame_at(ctx, pkt->l4, sizeof(*icmp));
	if (pkt->dry_run || pkt->fragment || !icmp || pkt->payload < sizeof(*icmp))
		return VERDICT_NO_SERVICE;
	if (!is_error(pkt, icmp) || !parse_quote(ctx, pkt, &place))
		return VERDICT_NO_SERVICE;
	pkt->is_error = true;
	pkt->malformed = malformed;
	hash_packet(pkt);
	service = find_service(pkt, config);
	if (!service || service->mode == MODE_NAT)
		return relay_to_side(ctx, pkt, config, &place);
	pkt->l3 = place.l3;
	pkt->l4 = place.icmp;
	pkt->payload = place.end - place.icmp;
	return VERDICTS;
}

/* Whether a new connection takes the tuple of one that is closed. */
static __always_inline bool is_reborn(const struct packet *pkt, const struct found *found)
{
	return !found->from_backend && begins_connection(pkt) && is_closed(found->flow);
}

/* Finds the NAT flow of a TCP or UDP packet. Returns VERDICTS to go on, or the verdict. */
static __always_inline enum verdict find_known(struct xdp_md *ctx, struct packet *pkt,
					       const struct config *config, bool stateless,
					       struct found *found)
{
	if (is_later_fragment(pkt) ? !recall_ports(pkt) : !parse_ports(ctx, pkt))
		return is_later_fragment(pkt) ? VERDICT_FRAGMENT_EARLY : VERDICT_NO_SERVICE;
	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return VERDICT_NO_SERVICE;
	hash_packet(pkt);
	check_headers(ctx, pkt);
	if (stateless)
		return VERDICTS;
	*found = find_flow(config, &pkt->tuple, pkt->flow_hash, tick_now(pkt));
	if (!found->flow)
		return VERDICTS;
	if (!is_reborn(pkt, found))
		return admit_known(pkt, config, found);
	if (!pkt->dry_run)
		__sync_val_compare_and_swap(&found->flow->life, found->life, 0);
	found->flow = NULL;
	return VERDICTS;
}

static __always_inline enum verdict balance(struct xdp_md *ctx, struct packet *pkt,
					    const struct config *config)
{
	enum verdict verdict = parse_frame(ctx, pkt);
	struct found found = {};
	struct vip vip;

	barrier();
	if (verdict != VERDICTS)
		return verdict;
	vip = find_vip(pkt, config);
	if (!vip.number)
		return VERDICT_NO_SERVICE;
	verdict = parse_ip(ctx, pkt);
	barrier();
	if (verdict != VERDICTS)
		return verdict;
	if (is_icmp(pkt))
		verdict = relay_error(ctx, pkt);
	else
		verdict = find_known(ctx, pkt, config, vip.flags & VIP_STATELESS, &found);
	if (verdict != VERDICTS)
		return verdict;
	if (!found.flow)
		verdict = balance_packet(ctx, pkt, config, &found);
	if (verdict != VERDICTS)
		return verdict;
	return found.flow ? forward_nat(ctx, pkt, &found) : VERDICT_INTERNAL;
}

static __always_inline int handle_frame(struct xdp_md *ctx, __u32 length)
{
	__u32 zero = 0;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct scratch *scratch;
	struct packet *pkt;
	enum verdict verdict;
	int action;

	if (!config)
		return XDP_ABORTED;
	action = try_short_way(ctx, config, length);
	if (action != LONG_WAY)
		return action;
	scratch = get_scratch();
	if (!scratch)
		return XDP_ABORTED;
	pkt = &scratch->packet;
	__builtin_memset(&pkt->now, 0, sizeof(*pkt) - offsetof(struct packet, now));
	pkt->length = length;
	pkt->dry_run = ctx->data_meta < ctx->data;
	verdict = balance(ctx, pkt, config);
	if (pkt->dry_run) {
		report_decision(ctx, pkt, verdict);
		return XDP_DROP;
	}
	if (verdict == VERDICT_TTL || verdict == VERDICT_TOO_BIG)
		verdict = answer_sender(ctx, pkt, verdict);
	action = account(pkt->service, pkt->backend, verdict, length);
	if (config->flags & CONFIG_TRACE)
		trace_packet(ctx, pkt, config, verdict);
	return action;
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
