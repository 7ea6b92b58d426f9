// SPDX-License-Identifier: GPL-2.0
/*
 * See invariants.h.
 *
 *  - What is not to a VIP passes, unless it is from a backend in mode dnat, or an ICMP error about a
 *    packet to one; what passes or is dropped is unchanged; nothing is aborted but packets of a
 *    service whose mode is unknown, and these are unchanged.
 *  - What is sent is an IP packet with right lengths and a right IPv4 header checksum; its other
 *    checksums are right exactly if they were.
 *  - It is one of: the same packet with other MACs (dsr); with other addresses, ports, and one hop
 *    less (nat, dnat; in nat by a source, or from one), also in the packet that an ICMP error
 *    quotes; the same in a tunnel (ipip); or an ICMP error to the sender, from the VIP, quoting the
 *    packet.
 *  - In mode dnat one address changes: the destination of what is to a VIP, else the source, which
 *    then is a VIP. What is left to the host has all its hops, and its MACs.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "frame.h"
#include "invariants.h"
#include "packet.h"

#define MAX_LENGTH 16384
#define MACS 12
#define MAX_ANSWER 128 /* bytes that the balancer's answers quote */
#define BROKEN(condition, what)                                                                    \
	do {                                                                                       \
		if (condition)                                                                     \
			return what;                                                               \
	} while (0)

/* Bytes of the frame that may differ. */
struct permit {
	bool byte[MAX_LENGTH];
};

static void allow(struct permit *permit, size_t at, size_t length)
{
	memset(permit->byte + at, true, length);
}

static bool is_of(enum host host, const uint8_t *address, int in_family)
{
	return in_family == 4 ? !memcmp(address, ip4_of(host), 4) :
				!memcmp(address, ip6_of(host), 16);
}

/* A VIP, or a source. */
static bool is_vip(const uint8_t *address, int in_family)
{
	return is_of(VIP, address, in_family) || is_of(VIP2, address, in_family) ||
	       is_of(VIP3, address, in_family) || is_of(POOL, address, in_family);
}

/* From the address that it came to, or from the one that a source stands for, or a source. */
static bool is_from_own(const struct trial *trial, const struct view *in, const struct view *out)
{
	const uint8_t *from = source_of(trial->out, out), *came_to = destination_of(trial->in, in);

	if (is_of(POOL, came_to, in->family))
		return is_of(VIP, from, in->family);
	return !memcmp(from, came_to, address_length(in)) ||
	       (is_of(VIP, came_to, in->family) && is_of(POOL, from, in->family));
}

static int hops_of(const uint8_t *frame, const struct view *view)
{
	return frame[view->l3 + (view->family == 4 ? 8 : 7)];
}

/* The addresses, the hop count and, of IPv4, the checksum of a header may change. */
static void allow_header(struct permit *permit, const struct view *view)
{
	if (view->family == 4) {
		allow(permit, view->l3 + 8, 1);
		allow(permit, view->l3 + 10, 10);
	} else {
		allow(permit, view->l3 + 7, 33);
	}
}

static void allow_transport(struct permit *permit, const struct view *view)
{
	size_t place = sum_place(view);

	allow(permit, view->l4, 4);
	if (place)
		allow(permit, place, 2);
}

/* A fragment gets another identification; that of IPv6 is somewhere in the extension headers. */
static void allow_id(struct permit *permit, const uint8_t *frame, const struct view *view)
{
	if (!view->fragment)
		return;
	if (view->family == 4) {
		allow(permit, view->l3 + 4, 2);
		return;
	}
	for (size_t at = view->l3 + 40, next = frame[view->l3 + 6]; at + 8 <= view->l4;) {
		if (next == IPPROTO_FRAGMENT) {
			allow(permit, at + 4, 4);
			return;
		}
		next = frame[at];
		at += 8 * (frame[at + 1] + 1);
	}
}

/* In the quoted packet all that in a packet may change, but for its hop count. */
static void allow_quote(struct permit *permit, const uint8_t *frame, const struct view *view)
{
	struct view quote = view_packet(frame, view->end, view->l4 + 8, view->family);

	allow(permit, view->l4 + 2, 2);
	allow(permit, view->l4 + 4, 4); /* a path MTU that is too small */
	if (!quote.family || quote.l4 + 4 > view->end)
		return;
	quote.end = view->end; /* what it says of itself may be more, or less */
	allow_header(permit, &quote);
	permit->byte[quote.l3 + (quote.family == 4 ? 8 : 7)] = false;
	if (is_transport(&quote))
		allow_transport(permit, &quote);
}

/* Checksums stay as right or as wrong as they were. */
static const char *check_sums(const struct trial *trial, const struct view *in,
			      const struct view *out)
{
	enum sum_state before = transport_sum(trial->in, in);

	BROKEN(!ip_sum_right(trial->out, out), "IPv4 header checksum is wrong");
	BROKEN(before != transport_sum(trial->out, out),
	       before == SUM_RIGHT ? "L4 checksum became wrong" : "L4 checksum is another");
	return NULL;
}

static const char *check_quote_sums(const struct trial *trial, const struct view *view)
{
	struct view in = view_packet(trial->in, view->end, view->l4 + 8, view->family);
	struct view out = view_packet(trial->out, view->end, view->l4 + 8, view->family);

	if (!in.family)
		return NULL;
	BROKEN(!out.family, "the quoted packet is none any more");
	BROKEN(ip_sum_right(trial->in, &in) != ip_sum_right(trial->out, &out), "the quoted IPv4 "
									       "header's checksum");
	if (in.end > view->end)
		return NULL;
	BROKEN(transport_sum(trial->in, &in) != transport_sum(trial->out, &out), "the quoted L4 "
										 "checksum");
	return NULL;
}

static bool same_source(const struct trial *trial, const struct view *in, const struct view *out)
{
	return !memcmp(source_of(trial->in, in), source_of(trial->out, out), address_length(in));
}

static bool same_destination(const struct trial *trial, const struct view *in,
			     const struct view *out)
{
	return !memcmp(destination_of(trial->in, in), destination_of(trial->out, out),
		       address_length(in));
}

/* Whose packet it is now. */
static const char *check_ends(const struct trial *trial, const struct view *in,
			      const struct view *out)
{
	const uint8_t *from = source_of(trial->out, out), *to = destination_of(trial->out, out);

	if (!is_vip(destination_of(trial->in, in), in->family)) {
		BROKEN(!same_destination(trial, in, out), "an answer to another client");
		BROKEN(!is_vip(from, in->family), "an answer that is not from a VIP");
	} else if (same_source(trial, in, out)) {
		BROKEN(is_vip(to, in->family), "still to a VIP");
	} else {
		BROKEN(!is_from_own(trial, in, out), "not from the VIP or its source");
	}
	return NULL;
}

/* `hops` is how many it has lost: one, or none if the host forwards it. */
static const char *check_nat(const struct trial *trial, const struct view *in,
			     const struct view *out, int hops)
{
	static struct permit permit;
	const char *broken = check_sums(trial, in, out);

	BROKEN(broken, broken);
	memset(&permit, 0, sizeof(permit));
	if (hops)
		allow(&permit, 0, MACS);
	allow_header(&permit, in);
	allow_id(&permit, trial->in, in);
	if (is_transport(in))
		allow_transport(&permit, in);
	else if (is_icmp_error(trial->in, in))
		allow_quote(&permit, trial->in, in);
	else
		BROKEN(!in->later, "neither TCP, UDP, an ICMP error nor a fragment was sent");
	for (size_t i = 0; i < trial->in_length; i++)
		BROKEN(trial->in[i] != trial->out[i] && !permit.byte[i], "a byte differs that may "
									 "not");
	BROKEN(hops_of(trial->in, in) < 2, "sent on, but its hops were used up");
	BROKEN(hops_of(trial->out, out) != hops_of(trial->in, in) - hops, "hops more or less");
	broken = check_ends(trial, in, out);
	BROKEN(broken, broken);
	return is_icmp_error(trial->in, in) ? check_quote_sums(trial, in) : NULL;
}

static const char *check_tunnel(const struct trial *trial, const struct view *in,
				const struct view *out)
{
	struct view inner = view_packet(trial->out, trial->out_length, out->l4,
					out->protocol == 4 ? 4 : 6);
	size_t length = trial->in_length - in->l3;
	uint8_t copy[MAX_LENGTH];

	BROKEN(memcmp(trial->in + MACS, trial->out + MACS, in->l3 - MACS - 2), "VLAN tags differ");
	BROKEN(in->l3 != out->l3, "more or fewer VLAN tags");
	BROKEN(out->protocol != (in->family == 4 ? 4 : 41), "the tunnel's protocol");
	BROKEN(!ip_sum_right(trial->out, out), "the tunnel's IPv4 header checksum");
	BROKEN(inner.family != in->family, "not the packet's family in the tunnel");
	BROKEN(out->end - out->l4 != in->end - in->l3, "the tunnel's length");
	BROKEN(trial->out_length - out->l4 != length, "length of the frame");
	BROKEN(!ip_sum_right(trial->out, &inner), "inner IPv4 header checksum is wrong");
	BROKEN(hops_of(trial->in, in) < 2, "sent on, but its hops were used up");
	BROKEN(hops_of(trial->out, &inner) != hops_of(trial->in, in) - 1, "not one hop less");
	memcpy(copy, trial->out + out->l4, length);
	copy[in->family == 4 ? 8 : 7]++;
	if (in->family == 4)
		memcpy(copy + 10, trial->in + in->l3 + 10, 2);
	BROKEN(memcmp(copy, trial->in + in->l3, length), "the packet in the tunnel is another");
	return NULL;
}

/* An ICMP error back to where the packet came from. */
static bool is_answer(const struct trial *trial, const struct view *in, const struct view *out)
{
	return is_icmp_error(trial->out, out) && out->family == in->family &&
	       !memcmp(trial->out, trial->in + 6, 6) && !memcmp(trial->out + 6, trial->in, 6) &&
	       !memcmp(destination_of(trial->out, out), source_of(trial->in, in),
		       address_length(in)) &&
	       out->l4 + 8 < out->end && out->end - out->l4 - 8 <= in->end - in->l3 &&
	       !memcmp(trial->out + out->l4 + 8, trial->in + in->l3, out->end - out->l4 - 8);
}

static const char *check_answer(const struct trial *trial, const struct view *in,
				const struct view *out)
{
	const uint8_t *source = source_of(trial->in, in);

	BROKEN(is_icmp_error(trial->in, in), "an error is answered with an error");
	BROKEN(in->later, "a later fragment is answered");
	BROKEN(source[0] >= (in->family == 4 ? 224 : 255), "a group is answered");
	BROKEN((trial->in[0] | trial->in[6]) & 1, "a frame to a group is answered");
	BROKEN(!ip_sum_right(trial->out, out), "the answer's IPv4 header checksum");
	BROKEN(transport_sum(trial->out, out) != SUM_RIGHT, "the answer's checksum");
	BROKEN(out->end != trial->out_length, "the answer's length");
	BROKEN(out->end - out->l4 - 8 > MAX_ANSWER, "the answer is too long");
	BROKEN(in->l3 != out->l3 || memcmp(trial->in + MACS, trial->out + MACS, in->l3 - MACS),
	       "the answer's VLAN tags");
	BROKEN(!is_vip(source_of(trial->out, out), in->family), "the answer is not from a VIP");
	BROKEN(is_vip(destination_of(trial->in, in), in->family) &&
		       memcmp(source_of(trial->out, out), destination_of(trial->in, in),
			      address_length(in)),
	       "the answer is from another VIP");
	return NULL;
}

static const char *check_sent(const struct trial *trial, const struct view *in)
{
	struct view out = view_frame(trial->out, trial->out_length);

	BROKEN(!in->family, "sent, but it came as no IP packet of right length");
	BROKEN(!ip_sum_right(trial->in, in), "sent, though its IPv4 header checksum is wrong");
	BROKEN(!out.family, "what was sent is no IP packet of right length");
	if (is_answer(trial, in, &out))
		return check_answer(trial, in, &out);
	if (trial->in_length != trial->out_length)
		return check_tunnel(trial, in, &out);
	if (!memcmp(trial->in + MACS, trial->out + MACS, trial->in_length - MACS))
		return NULL;
	return check_nat(trial, in, &out, 1);
}

/* What passes or is dropped is as it came; but for an answer that the host is to send on. */
static const char *check_kept(const struct trial *trial, const struct view *in)
{
	struct view out = view_frame(trial->out, trial->out_length);

	BROKEN(trial->in_length != trial->out_length, "passed or dropped, but of another length");
	if (!memcmp(trial->in, trial->out, trial->in_length))
		return NULL;
	BROKEN(trial->action != XDP_PASS || !in->family || !out.family ||
		       is_vip(destination_of(trial->in, in), in->family),
	       "passed or dropped, but changed");
	return check_nat(trial, in, &out, 0);
}

/* Whether the frame is to a VIP, as far as it shows. */
static bool is_to_vip(const uint8_t *frame, size_t length)
{
	int type = 0;
	size_t l3 = l2_length(frame, length, &type);
	struct view view = { .family = type == 0x0800 ? 4 : 6, .l3 = l3 };

	if (!l3 || (type != 0x0800 && type != 0x86dd))
		return false;
	if (l3 + (view.family == 4 ? 20 : 40) > length)
		return false;
	return is_vip(destination_of(frame, &view), view.family);
}

/* Whether the address is one of the backends in mode dnat. */
static bool is_hidden(const uint8_t *address, int in_family)
{
	return in_family == 4 ?
		       !memcmp(address, ip4_of(B4), 4) || !memcmp(address, ip4_of(B5), 4) :
		       !memcmp(address, ip6_of(B4), 16) || !memcmp(address, ip6_of(B5), 16);
}

/* Whether it may be an answer in mode dnat, or an error about what such a backend got. */
static bool may_be_answer(const struct trial *trial, const struct view *in)
{
	struct view quote;

	if (!in->family)
		return true; /* its lengths lie: whose it is shows to the program only */
	if (is_hidden(source_of(trial->in, in), in->family))
		return true;
	if (!is_icmp_error(trial->in, in))
		return false;
	quote = view_packet(trial->in, in->end, in->l4 + 8, in->family);
	return quote.family && is_hidden(destination_of(trial->in, &quote), in->family);
}

const char *broken_invariant(const struct trial *trial)
{
	struct view in = view_frame(trial->in, trial->in_length);
	bool sent = trial->action == XDP_TX || trial->action == XDP_REDIRECT;

	BROKEN(trial->action == XDP_ABORTED && !trial->may_abort, "aborted");
	BROKEN(trial->action > XDP_REDIRECT, "no action that there is");
	BROKEN(!is_to_vip(trial->in, trial->in_length) && !may_be_answer(trial, &in) &&
		       trial->action != XDP_PASS,
	       "not to a VIP, and does not pass");
	return sent ? check_sent(trial, &in) : check_kept(trial, &in);
}
