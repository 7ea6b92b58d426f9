// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "kernel/store.h"

void (*store_hook)(void);

void note_store(void)
{
	if (store_hook)
		store_hook();
}

void store_word(const void *field, __u64 value, size_t size)
{
	switch (size) {
	case sizeof(__u16):
		__atomic_store_n((__u16 *)field, value, __ATOMIC_SEQ_CST);
		break;
	case sizeof(__u32):
		__atomic_store_n((__u32 *)field, value, __ATOMIC_SEQ_CST);
		break;
	case sizeof(__u64):
		__atomic_store_n((__u64 *)field, value, __ATOMIC_SEQ_CST);
		break;
	}
	note_store();
}

void store_bytes(const void *at, const void *from, size_t size)
{
	memcpy((void *)at, from, size);
	note_store();
}

void set_bits(const __u32 *field, __u32 bits)
{
	__atomic_or_fetch((__u32 *)field, bits, __ATOMIC_SEQ_CST);
	note_store();
}

void clear_bits(const __u32 *field, __u32 bits)
{
	__atomic_and_fetch((__u32 *)field, ~bits, __ATOMIC_SEQ_CST);
	note_store();
}

void add_to(const __s32 *field, __s32 change)
{
	__atomic_add_fetch((__s32 *)field, change, __ATOMIC_SEQ_CST);
	note_store();
}

__u32 take_bits(const __u32 *field, __u32 bits)
{
	__u32 before = __atomic_fetch_and((__u32 *)field, ~bits, __ATOMIC_SEQ_CST);

	note_store();
	return before;
}

bool replace_word(const __u32 *field, __u32 expected, __u32 value)
{
	bool done = __atomic_compare_exchange_n((__u32 *)field, &expected, value, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED);

	note_store();
	return done;
}
