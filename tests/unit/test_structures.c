// SPDX-License-Identifier: GPL-2.0
/* The lists of members by which maps of another layout are read say the same as the built object,
 * and every map that the helper sets is carried over. */
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "check.h"
#include "maps.h"
#include "model/carry_over.h"
#include "model/structures.h"

static const struct structure *const structures[] = {
	&address_structure, &vip_structure,	 &service_key_structure, &service_structure,
	&member_structure,  &hop_structure,	 &backend_structure,	 &tuple_structure,
	&flow_structure,    &config_structure,	 &deny_key_structure,	 &limit_structure,
	&own_key_structure, &real_key_structure, &answer_structure,
};

/* The data path's own: flows and what goes with them, counters, notes. */
static const enum map_index own[] = {
	MAP_BUCKETS, MAP_FLOWS,	  MAP_FRAGMENTS, MAP_SOURCES, MAP_SVC_STATS, MAP_BE_STATS,
	MAP_DIRECT,  MAP_ANSWERS, MAP_SLOW,	 MAP_TRACE,   MAP_SOCKETS,
};

static const struct field *field_named(const struct structure *structure, const char *name)
{
	for (__u32 i = 0; i < structure->count; i++) {
		if (!strcmp(structure->fields[i].name, name))
			return &structure->fields[i];
	}
	return NULL;
}

static void test_structure(const struct btf *btf, const struct structure *structure)
{
	__s32 number = btf__find_by_name_kind(btf, structure->name, BTF_KIND_STRUCT);
	const struct btf_type *type = number > 0 ? btf__type_by_id(btf, number) : NULL;

	check(structure->name, type && type->size == structure->size, "the object has %u bytes",
	      type ? type->size : 0);
	for (int i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		const char *name = btf__name_by_offset(btf, member->name_off);
		const struct field *field = field_named(structure, name);

		if (*name && strcmp(name, "unused")) /* without a name: a union */
			check(name,
			      field && field->offset * 8 == member->offset &&
				      field->size == (__u32)btf__resolve_size(btf, member->type),
			      "maps/model/structures.c has not this member of %s", structure->name);
	}
}

static void test_map(enum map_index index)
{
	bool is_own = false;

	for (unsigned int i = 0; i < sizeof(own) / sizeof(*own); i++)
		is_own |= own[i] == index;
	check(map_layouts[index].name, is_own != is_configuration(index),
	      "it is either carried over (maps/model/carry_over.c) or the data path's own");
}

int main(void)
{
	struct bpf_object *object = open_built("xdp_lb.bpf.o");

	check("open the object", object, "no xdp_lb.bpf.o");
	if (!object)
		return 1;
	for (unsigned int i = 0; i < sizeof(structures) / sizeof(*structures); i++)
		test_structure(bpf_object__btf(object), structures[i]);
	for (int i = 0; i < MAPS; i++)
		test_map(i);
	bpf_object__close(object);
	return failures != 0;
}
