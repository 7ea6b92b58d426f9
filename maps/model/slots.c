// SPDX-License-Identifier: GPL-2.0
#include "model/slots.h"

__u32 words_of(__u32 slots)
{
	return (slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD;
}

struct slot read_slot(const void *table, __u32 slots, bool moving, __u32 slot)
{
	const struct slots *backends = table;
	const struct transition *transitions = table;
	struct slot result = {
		.backend = backends[slot / SLOTS_PER_WORD].backend[slot % SLOTS_PER_WORD] &
			   ~SLOT_MOVING,
	};

	if (moving) {
		result.former = transitions[words_of(slots) + slot].former;
		result.began = transitions[words_of(slots) + slot].began;
		result.seen = transitions[words_of(slots) + slot].seen;
	}
	return result;
}

void write_slots(void *table, const struct slot *from, __u32 slots, bool moving)
{
	struct slots *backends = table;
	struct transition *transitions = table;

	transitions += words_of(slots);
	for (__u32 i = 0; i < slots; i++) {
		__u16 flag = from[i].former ? SLOT_MOVING : 0;

		backends[i / SLOTS_PER_WORD].backend[i % SLOTS_PER_WORD] = from[i].backend | flag;
		if (!moving)
			continue;
		transitions[i].former = from[i].former;
		transitions[i].began = from[i].began;
		transitions[i].seen = from[i].seen;
	}
}

bool transition_is_over(const struct slot *slot, const struct config *config, __u32 settle,
			__u32 now)
{
	struct transition transition = { slot->former, slot->began, slot->seen };

	return !slot->former || is_transition_over(config, settle, &transition, now);
}

/* The former backend that a slot is to have: see start_transitions. */
static void follow(struct slot *after, const struct slot *before, const struct aftermath *aftermath)
{
	bool backend_lives = before->backend && aftermath->is_live[before->backend];
	bool is_moved = after->backend != before->backend;

	after->former = 0;
	after->began = 0;
	after->seen = 0;
	if (!transition_is_over(before, aftermath->config, aftermath->settle, aftermath->now)) {
		/* Flows of backends in between are remembered, but looked for only in a transition:
		 * it goes on even if the former backend is gone. */
		after->former = aftermath->is_live[before->former] ? before->former :
				is_moved && backend_lives	   ? before->backend :
								     after->backend;
		after->began = is_moved ? unit_of(aftermath->now) : before->began;
		after->seen = is_moved ? aftermath->now : before->seen;
	} else if (is_moved && backend_lives) {
		after->former = before->backend;
		after->began = unit_of(aftermath->now);
		after->seen = aftermath->now;
	}
}

__u32 start_transitions(struct slot *after, const struct slot *before, __u32 slots,
			const struct aftermath *aftermath)
{
	__u32 begun = 0;

	for (__u32 i = 0; i < slots; i++) {
		follow(&after[i], &before[i], aftermath);
		begun += after[i].former && after[i].backend != before[i].backend;
	}
	return begun;
}
