/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The members of what maps hold, by name: so a helper reads maps of another layout, whose BTF says
 * where theirs lie. A member that those have not is zero here, which is its default. A unit test
 * holds the lists against the built object.
 */
#ifndef MODEL_STRUCTURES_H
#define MODEL_STRUCTURES_H

#include "kernel/btf.h"
#include "xdp_lb.h"

struct field {
	const char *name;
	__u32 offset, size;
	const struct structure *structure; /* of its elements; NULL: plain numbers or bytes */
};

struct structure {
	const char *name;
	__u32 size;
	const struct field *fields;
	__u32 count;
};

/* Those with a name in BTF; `unused` is in no list. */
extern const struct structure address_structure, vip_structure, service_key_structure,
	service_structure, member_structure, hop_structure, backend_structure, tuple_structure,
	flow_structure, config_structure, deny_key_structure, limit_structure, own_key_structure,
	real_key_structure, answer_structure, check_structure;

/* Copies to `to`, which is as the list says, what `from` has, whose type is `type` in `btf`. */
void convert(const struct structure *structure, const struct btf *btf, __u32 type, const void *from,
	     void *to);

#endif
