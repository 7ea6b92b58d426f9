// SPDX-License-Identifier: GPL-2.0
#include "lib/clock.h"
#include "model/census.h"
#include "watch/house.h"
#include "watch/loop.h"

#define EVERY_NS (10 * NS_PER_SECOND)

static struct watch *watch;
static struct timer timer;

static void expire(struct timer *expired)
{
	struct trial trial;

	timer_set(expired, nanosecond_now() + EVERY_NS);
	if (!watch->has_balancer)
		return;
	begin_trial(&trial);
	keep_house(&watch->balancer);
	end_trial(&trial);
}

static enum status start(struct watch *started)
{
	watch = started;
	timer.expire = expire;
	return timer_set(&timer, nanosecond_now() + EVERY_NS) ? FAILED : DONE;
}

const struct part house = { .start = start };
