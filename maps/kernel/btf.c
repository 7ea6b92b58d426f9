// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/btf.h>

#include "kernel/bpf.h"
#include "kernel/btf.h"

#define MAX_DEPTH 32 /* of typedefs and the like, one behind the other */

struct btf {
	const char *strings;
	__u32 strings_size;
	const struct btf_type **type; /* by number; 0 is void */
	__u32 count;
	_Alignas(8) char data[];
};

/* The bytes that follow a type's fixed part. */
static size_t size_of_rest(const struct btf_type *type)
{
	size_t count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(__u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return count * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return count * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return count * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return count * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return count * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

/* Numbers the types. The kernel has checked them all; what ends too early is left out. */
static bool index_types(struct btf *btf, __u32 size)
{
	const struct btf_header *header = (const void *)btf->data;
	const char *at = btf->data + header->hdr_len + header->type_off;
	const char *end = at + header->type_len;

	if (size < sizeof(*header) || header->magic != BTF_MAGIC || end > btf->data + size)
		return false;
	btf->strings = btf->data + header->hdr_len + header->str_off;
	btf->strings_size = header->str_len;
	btf->type = calloc(header->type_len / sizeof(struct btf_type) + 1, sizeof(void *));
	btf->count = 1;
	while (btf->type && at + sizeof(struct btf_type) <= end) {
		const struct btf_type *type = (const void *)at;

		btf->type[btf->count++] = type;
		at += sizeof(*type) + size_of_rest(type);
	}
	return btf->type;
}

struct btf *load_btf(int map)
{
	struct bpf_map_info info;
	struct btf *btf = NULL;
	int size, file;

	if (map_info(map, &info) || !info.btf_id)
		return NULL;
	file = btf_open_id(info.btf_id);
	if (file < 0)
		return NULL;
	size = btf_read(file, NULL, 0);
	if (size > 0)
		btf = calloc(1, sizeof(*btf) + size);
	if (btf && (btf_read(file, btf->data, size) != size || !index_types(btf, size))) {
		free(btf);
		btf = NULL;
	}
	close(file);
	return btf;
}

void free_btf(struct btf *btf)
{
	if (!btf)
		return;
	free(btf->type);
	free(btf);
}

static bool is_named(const struct btf *btf, __u32 offset, const char *name)
{
	return offset < btf->strings_size && !strcmp(btf->strings + offset, name);
}

static bool is_struct(const struct btf_type *type)
{
	return BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT;
}

/* Whether a type has members. */
static bool is_composed(const struct btf *btf, __u32 number)
{
	unsigned int kind = number < btf->count ? BTF_INFO_KIND(btf->type[number]->info) : 0;

	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

__u32 find_struct(const struct btf *btf, const char *name)
{
	for (__u32 i = 1; i < btf->count; i++) {
		if (is_struct(btf->type[i]) && is_named(btf, btf->type[i]->name_off, name))
			return i;
	}
	return 0;
}

/* The type behind names and qualifiers. */
static __u32 resolve(const struct btf *btf, __u32 number)
{
	for (int i = 0; i < MAX_DEPTH && number && number < btf->count; i++) {
		const struct btf_type *type = btf->type[number];

		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			number = type->type;
			break;
		default:
			return number;
		}
	}
	return 0;
}

/* Fills in what a type says of size and elements; size 0: it is none that maps have. */
static void measure(const struct btf *btf, __u32 number, struct btf_place *place)
{
	__u32 elements = 1;

	place->type = resolve(btf, number);
	for (int i = 0; i < MAX_DEPTH && place->type; i++) {
		const struct btf_type *type = btf->type[place->type];
		const struct btf_array *array = (const void *)(type + 1);

		if (BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY)
			break;
		elements *= array->nelems;
		place->type = resolve(btf, array->type);
	}
	place->element_size = 0;
	if (place->type) {
		const struct btf_type *type = btf->type[place->type];
		unsigned int kind = BTF_INFO_KIND(type->info);

		if (kind == BTF_KIND_INT || kind == BTF_KIND_ENUM || kind == BTF_KIND_STRUCT ||
		    kind == BTF_KIND_UNION)
			place->element_size = type->size;
	}
	place->size = elements * place->element_size;
}

bool find_member(const struct btf *btf, __u32 number, const char *name, struct btf_place *place)
{
	const struct btf_type *type = btf->type[number];
	const struct btf_member *member = (const void *)(type + 1);

	for (unsigned int i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		__u32 bits = BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(member[i].offset) :
							  member[i].offset;
		bool has_name = !is_named(btf, member[i].name_off, "");

		if (has_name && !is_named(btf, member[i].name_off, name))
			continue;
		if (has_name)
			measure(btf, member[i].type, place);
		else if (!is_composed(btf, member[i].type) ||
			 !find_member(btf, member[i].type, name, place))
			continue;
		place->offset = bits / 8 + (has_name ? 0 : place->offset);
		return place->size && place->offset + place->size <= type->size;
	}
	return false;
}
