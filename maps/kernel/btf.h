/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a loaded map's BTF says of structures: members by name, for maps of another version than
 * this helper.
 */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

#include <stdbool.h>
#include <linux/types.h>

struct btf;

/* The description that a map was loaded with; NULL: it has none that can be read. */
struct btf *load_btf(int map);
void free_btf(struct btf *btf);

/* The number of a structure's type; 0: there is none of that name. */
__u32 find_struct(const struct btf *btf, const char *name);

/* Where a member lies in its structure. */
struct btf_place {
	__u32 offset, size; /* bytes */
	__u32 type; /* of the member; of an array: of its elements */
	__u32 element_size; /* of an array's elements; else `size` */
};

/* Returns whether the structure of that type has a member of that name; those of a union without a
 * name are its own. */
bool find_member(const struct btf *btf, __u32 type, const char *name, struct btf_place *place);

#endif
