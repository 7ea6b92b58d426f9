// SPDX-License-Identifier: GPL-2.0
/* See frame.h. */
#include <netinet/in.h>
#include <string.h>

#include "frame.h"
#include "packet.h"

#define TYPE_IP4 0x0800
#define TYPE_IP6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8
#define MAX_TAGS 2
#define IP6_HEADER 40
#define PROTOCOL_FRAGMENT 44

uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

size_t l2_length(const uint8_t *frame, size_t length, int *type)
{
	size_t at = MIN_FRAME;

	if (length < at)
		return 0;
	*type = get16(frame + 12);
	for (int i = 0; i < MAX_TAGS && (*type == TYPE_VLAN || *type == TYPE_QINQ); i++) {
		if (at + 4 > length)
			return 0;
		*type = get16(frame + at + 2);
		at += 4;
	}
	return at;
}

static bool view_ip4(const uint8_t *frame, size_t length, struct view *view)
{
	const uint8_t *ip = frame + view->l3;
	int offset;

	if (view->l3 + 20 > length || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return false;
	view->l4 = view->l3 + (ip[0] & 15) * 4;
	view->end = view->l3 + get16(ip + 2);
	view->protocol = ip[9];
	offset = get16(ip + 6);
	view->fragment = offset & 0x3fff;
	view->later = offset & 0x1fff;
	return view->l4 <= view->end;
}

static bool is_extension(int next)
{
	return next == 0 || next == 43 || next == PROTOCOL_FRAGMENT || next == 60;
}

static bool view_ip6(const uint8_t *frame, size_t length, struct view *view)
{
	static const uint8_t prefix[12] = { [10] = 0xff, 0xff };
	const uint8_t *ip = frame + view->l3;

	if (view->l3 + IP6_HEADER > length || ip[0] >> 4 != 6)
		return false;
	view->l4 = view->l3 + IP6_HEADER;
	view->end = view->l4 + get16(ip + 4);
	view->protocol = ip[6];
	view->mapped = !memcmp(ip + 8, prefix, 12) || !memcmp(ip + 24, prefix, 12);
	while (is_extension(view->protocol) && !view->later) {
		const uint8_t *header = frame + view->l4;
		size_t size = 8;

		if (view->l4 + 8 > length || view->l4 + 8 > view->end)
			return false;
		if (view->protocol != PROTOCOL_FRAGMENT)
			size = 8 + 8 * header[1];
		else if (get16(header + 2) & 0xfff9)
			view->fragment = true;
		if (view->fragment && view->protocol == PROTOCOL_FRAGMENT)
			view->later = get16(header + 2) & 0xfff8;
		view->protocol = header[0];
		view->l4 += size;
		if (view->l4 > view->end)
			return false;
	}
	return true;
}

struct view view_packet(const uint8_t *frame, size_t length, size_t l3, int in_family)
{
	struct view view = { .family = in_family, .l3 = l3 };

	if (!(in_family == 4 ? view_ip4(frame, length, &view) : view_ip6(frame, length, &view)))
		view.family = 0;
	return view;
}

struct view view_frame(const uint8_t *frame, size_t length)
{
	struct view view = {};
	int type = 0;
	size_t l3 = l2_length(frame, length, &type);

	if (l3 && (type == TYPE_IP4 || type == TYPE_IP6))
		view = view_packet(frame, length, l3, type == TYPE_IP4 ? 4 : 6);
	if (view.end > length)
		view.family = 0;
	return view;
}

size_t address_length(const struct view *view)
{
	return view->family == 4 ? 4 : 16;
}

const uint8_t *source_of(const uint8_t *frame, const struct view *view)
{
	return frame + view->l3 + (view->family == 4 ? 12 : 8);
}

const uint8_t *destination_of(const uint8_t *frame, const struct view *view)
{
	return source_of(frame, view) + address_length(view);
}

bool is_transport(const struct view *view)
{
	return view->family && !view->later && view->l4 + 4 <= view->end &&
	       (view->protocol == IPPROTO_TCP || view->protocol == IPPROTO_UDP);
}

static bool is_icmp(const struct view *view)
{
	return view->protocol == (view->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

bool is_icmp_error(const uint8_t *frame, const struct view *view)
{
	int type;

	if (!view->family || view->fragment || !is_icmp(view) || view->l4 + 8 > view->end)
		return false;
	type = frame[view->l4];
	if (view->family == 6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 11 || type == 12;
}

size_t sum_place(const struct view *view)
{
	size_t place = view->l4;

	if (view->protocol == IPPROTO_TCP)
		place += 16;
	else if (view->protocol == IPPROTO_UDP)
		place += 6;
	else if (is_icmp(view))
		place += 2;
	else
		return 0;
	return view->later || place + 2 > view->end ? 0 : place;
}

bool ip_sum_right(const uint8_t *frame, const struct view *view)
{
	return view->family == 6 ||
	       !internet_checksum(frame + view->l3, (frame[view->l3] & 15) * 4, 0);
}

/* The pseudo header's part of the sum. */
static uint32_t pseudo_sum(const uint8_t *frame, const struct view *view, size_t length)
{
	const uint8_t *addresses = source_of(frame, view);
	uint32_t sum = view->protocol + length;

	if (is_icmp(view) && view->family == 4)
		return 0;
	for (size_t i = 0; i < 2 * address_length(view); i += 2)
		sum += get16(addresses + i);
	return sum;
}

/* UDP says itself how much of the packet it is. */
static size_t summed_length(const uint8_t *frame, const struct view *view)
{
	if (view->protocol == IPPROTO_UDP && get16(frame + view->l4 + 4) >= 8)
		return get16(frame + view->l4 + 4);
	return view->end - view->l4;
}

enum sum_state transport_sum(const uint8_t *frame, const struct view *view)
{
	size_t place = sum_place(view);
	size_t length;

	if (!view->family || view->fragment || !place)
		return SUM_NONE;
	if (view->protocol == IPPROTO_UDP && !get16(frame + place))
		return SUM_NONE;
	length = summed_length(frame, view);
	if (view->l4 + length > view->end)
		return SUM_NONE;
	return internet_checksum(frame + view->l4, length, pseudo_sum(frame, view, length)) ?
		       SUM_WRONG :
		       SUM_RIGHT;
}

static void repair_ip(uint8_t *frame, size_t length, const struct view *view)
{
	uint8_t *ip = frame + view->l3;

	if (view->family != 4 || view->l4 > length)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, internet_checksum(ip, (ip[0] & 15) * 4, 0));
}

static void repair_transport(uint8_t *frame, const struct view *view)
{
	size_t place = sum_place(view);
	size_t length;
	uint16_t sum;

	if (!place || (view->protocol == IPPROTO_UDP && !get16(frame + place)))
		return;
	length = summed_length(frame, view);
	if (view->l4 + length > view->end)
		return;
	put16(frame + place, 0);
	sum = internet_checksum(frame + view->l4, length, pseudo_sum(frame, view, length));
	put16(frame + place, sum || view->protocol != IPPROTO_UDP ? sum : 0xffff);
}

void repair(uint8_t *frame, size_t length)
{
	struct view view = view_frame(frame, length);
	struct view quote;

	if (!view.family)
		return;
	repair_ip(frame, length, &view);
	if (is_icmp_error(frame, &view)) {
		quote = view_packet(frame, view.end, view.l4 + 8, view.family);
		if (quote.family)
			repair_ip(frame, view.end, &quote);
		if (quote.family && quote.end <= view.end && !quote.fragment)
			repair_transport(frame, &quote);
	}
	if (!view.fragment)
		repair_transport(frame, &view);
}
