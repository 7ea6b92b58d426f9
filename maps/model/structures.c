// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <string.h>

#include "model/structures.h"

#define SIZE_OF(type, member) sizeof(((struct type *)0)->member)
#define PLAIN(type, member)                                                                        \
	{                                                                                          \
#member, offsetof(struct type, member), SIZE_OF(type, member), NULL                \
	}
#define NESTED(type, member, of)                                                                   \
	{                                                                                          \
#member, offsetof(struct type, member), SIZE_OF(type, member), &of##_structure     \
	}
#define COUNT_OF(fields) (sizeof(fields) / sizeof(struct field))
#define STRUCTURE(type)                                                                            \
	const struct structure type##_structure = { #type, sizeof(struct type), type##_fields,     \
						    COUNT_OF(type##_fields) }

/* A line each, so that they can be added without moving others. */
/* clang-format off */
static const struct field address_fields[] = {
	PLAIN(address, word),
};
STRUCTURE(address);

static const struct field vip_fields[] = {
	PLAIN(vip, number),
	PLAIN(vip, flags),
	PLAIN(vip, ports),
};
STRUCTURE(vip);

static const struct field service_key_fields[] = {
	PLAIN(service_key, vip),
	PLAIN(service_key, port),
	PLAIN(service_key, protocol),
};
STRUCTURE(service_key);

static const struct field service_fields[] = {
	PLAIN(service, number),
	PLAIN(service, table),
	PLAIN(service, slots),
	PLAIN(service, mode),
	PLAIN(service, hash),
	PLAIN(service, flags),
	PLAIN(service, settle),
	PLAIN(service, changed),
};
STRUCTURE(service);

static const struct field member_fields[] = {
	PLAIN(member, backend),
	PLAIN(member, weight),
	PLAIN(member, state),
	PLAIN(member, flags),
	PLAIN(member, generation),
};
STRUCTURE(member);

static const struct field hop_fields[] = {
	PLAIN(hop, mac),
	PLAIN(hop, own_mac),
	PLAIN(hop, ifindex),
};
STRUCTURE(hop);

static const struct field backend_fields[] = {
	NESTED(backend, address, address),
	PLAIN(backend, port),
	PLAIN(backend, generation),
	PLAIN(backend, service),
	PLAIN(backend, flags),
	PLAIN(backend, drained),
	PLAIN(backend, mtu),
	NESTED(backend, hop, hop),
};
STRUCTURE(backend);

static const struct field tuple_fields[] = {
	NESTED(tuple, peer, address),
	PLAIN(tuple, peer_port),
	PLAIN(tuple, vip_port),
	PLAIN(tuple, vip),
	PLAIN(tuple, protocol),
};
STRUCTURE(tuple);

static const struct field flow_fields[] = {
	PLAIN(flow, cookie),
	PLAIN(flow, seen),
	NESTED(flow, client, tuple),
	PLAIN(flow, port),
	PLAIN(flow, backend),
	PLAIN(flow, generation),
	PLAIN(flow, state),
	PLAIN(flow, source),
	PLAIN(flow, address_sum),
	PLAIN(flow, flow_sum),
	PLAIN(flow, isn),
	PLAIN(flow, client_mac),
	PLAIN(flow, own_mac),
	PLAIN(flow, ifindex),
};
STRUCTURE(flow);

static const struct field config_fields[] = {
	PLAIN(config, tcp_timeout),
	PLAIN(config, fin_timeout),
	PLAIN(config, udp_timeout),
	PLAIN(config, flags),
	PLAIN(config, generation),
	PLAIN(config, secret),
	PLAIN(config, knows_macs),
	PLAIN(config, census),
	PLAIN(config, pmtu),
	PLAIN(config, known_bits),
	NESTED(config, trace, tuple),
};
STRUCTURE(config);

static const struct field own_key_fields[] = {
	NESTED(own_key, address, address),
	PLAIN(own_key, ifindex),
	PLAIN(own_key, port),
	PLAIN(own_key, protocol),
};
STRUCTURE(own_key);

static const struct field real_key_fields[] = {
	NESTED(real_key, address, address),
	PLAIN(real_key, port),
	PLAIN(real_key, protocol),
};
STRUCTURE(real_key);

static const struct field answer_fields[] = {
	NESTED(answer, vip, address),
	PLAIN(answer, port),
	PLAIN(answer, vip_number),
	PLAIN(answer, via),
};
STRUCTURE(answer);

static const struct field deny_key_fields[] = {
	PLAIN(deny_key, length),
	NESTED(deny_key, prefix, address),
};
STRUCTURE(deny_key);

static const struct field limit_fields[] = {
	PLAIN(limit, pps),
	PLAIN(limit, burst),
	PLAIN(limit, flows),
	PLAIN(limit, flags),
	PLAIN(limit, conns),
	PLAIN(limit, next_flow),
};
STRUCTURE(limit);

static const struct field check_fields[] = {
	PLAIN(check, type),
	PLAIN(check, ends_flows),
	PLAIN(check, panic),
	PLAIN(check, status),
	PLAIN(check, port),
	PLAIN(check, interval),
	PLAIN(check, timeout),
	PLAIN(check, rise),
	PLAIN(check, fall),
	PLAIN(check, word),
	PLAIN(check, host),
};
STRUCTURE(check);
/* clang-format on */

/* A number that has grown keeps its value: its low bytes come first. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "convert_field");

static void convert_field(const struct field *field, const struct btf *btf,
			  const struct btf_place *place, const char *from, char *to)
{
	const struct structure *element = field->structure;

	if (!element) {
		memcpy(to, from, place->size < field->size ? place->size : field->size);
		return;
	}
	for (__u32 i = 0;
	     (i + 1) * element->size <= field->size && (i + 1) * place->element_size <= place->size;
	     i++)
		convert(element, btf, place->type, from + i * place->element_size,
			to + i * element->size);
}

void convert(const struct structure *structure, const struct btf *btf, __u32 type, const void *from,
	     void *to)
{
	struct btf_place place;

	for (__u32 i = 0; i < structure->count; i++) {
		const struct field *field = &structure->fields[i];

		if (find_member(btf, type, field->name, &place))
			convert_field(field, btf, &place, (const char *)from + place.offset,
				      (char *)to + field->offset);
	}
}
