// SPDX-License-Identifier: GPL-2.0
#include <time.h>

#include "lib/clock.h"
#include "xdp_lb.h"

__u64 nanosecond_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

__u32 tick_now(void)
{
	return nanosecond_now() >> TICK_SHIFT;
}

__u32 second_now(void)
{
	return nanosecond_now() / 1000000000ULL;
}
