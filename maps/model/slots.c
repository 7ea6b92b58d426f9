// SPDX-License-Identifier: GPL-2.0
#include "model/slots.h"

__u32 owner_values(__u32 slots)
{
	return (slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD;
}

struct slot read_slot(const void *table, __u32 slots, bool moving, __u32 slot)
{
	const struct slots *owners = table;
	const struct transition *transitions = table;
	struct slot result = {
		.owner = owners[slot / SLOTS_PER_WORD].backend[slot % SLOTS_PER_WORD] &
			 ~SLOT_MOVING,
	};

	if (moving) {
		result.former = transitions[owner_values(slots) + slot].former;
		result.seen = transitions[owner_values(slots) + slot].seen;
	}
	return result;
}

void write_slots(void *table, const struct slot *from, __u32 slots, bool moving)
{
	struct slots *owners = table;
	struct transition *transitions = table;

	transitions += owner_values(slots);
	for (__u32 i = 0; i < slots; i++) {
		__u16 flag = from[i].former ? SLOT_MOVING : 0;

		owners[i / SLOTS_PER_WORD].backend[i % SLOTS_PER_WORD] = from[i].owner | flag;
		if (!moving)
			continue;
		transitions[i].former = from[i].former;
		transitions[i].seen = from[i].seen;
	}
}

bool transition_is_over(const struct slot *slot, __u32 now, __u32 seconds)
{
	return !slot->former || is_past(now, slot->seen, seconds);
}

/* The former owner that a slot is to have: see begin_transitions. */
static void follow(struct slot *after, const struct slot *before, const struct aftermath *aftermath)
{
	bool owner_lives = before->owner && aftermath->is_live[before->owner];
	bool is_moved = after->owner != before->owner;

	after->former = 0;
	after->seen = 0;
	if (!transition_is_over(before, aftermath->now, aftermath->seconds)) {
		/* Flows of owners in between are remembered, but looked for only in a transition:
		 * it goes on even if the former owner is gone. */
		after->former = aftermath->is_live[before->former] ? before->former :
				is_moved && owner_lives		   ? before->owner :
								     after->owner;
		after->seen = is_moved ? aftermath->now : before->seen;
	} else if (is_moved && owner_lives) {
		after->former = before->owner;
		after->seen = aftermath->now;
	}
}

__u32 begin_transitions(struct slot *after, const struct slot *before, __u32 slots,
			const struct aftermath *aftermath)
{
	__u32 begun = 0;

	for (__u32 i = 0; i < slots; i++) {
		follow(&after[i], &before[i], aftermath);
		begun += after[i].former && after[i].owner != before[i].owner;
	}
	return begun;
}
