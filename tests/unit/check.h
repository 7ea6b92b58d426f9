/* SPDX-License-Identifier: GPL-2.0 */
/* What unit tests share: a line for each case, and a count of those that failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int failures;

/* PASS name, or FAIL name: why (a format and its values). */
#define check(name, good, ...)                                                                     \
	do {                                                                                       \
		if (good) {                                                                        \
			printf("PASS %s\n", name);                                                 \
		} else {                                                                           \
			failures++;                                                                \
			printf("FAIL %s: ", name);                                                 \
			printf(__VA_ARGS__);                                                       \
			printf("\n");                                                              \
		}                                                                                  \
	} while (0)

#endif
