/* SPDX-License-Identifier: GPL-2.0 */
/* CLOCK_MONOTONIC in nanoseconds, in the ticks of the maps, and in seconds. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <linux/types.h>

__u64 nanosecond_now(void);
__u32 tick_now(void);
__u32 second_now(void);

#endif
