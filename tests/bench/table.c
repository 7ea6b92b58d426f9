// SPDX-License-Identifier: GPL-2.0
/*
 * table BACKENDS SLOTS TIMES: how many milliseconds the table of a service takes to be built; a
 * line each time.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "maps/model/maglev.h"

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	unsigned int backends = argc == 4 ? atoi(argv[1]) : 0;
	unsigned int slots = argc == 4 ? atoi(argv[2]) : 0;
	struct claim *claims = calloc(backends + 1, sizeof(*claims));
	__u16 *owner = calloc(slots + 1, sizeof(*owner));

	if (!backends || !slots || !claims || !owner) {
		fprintf(stderr, "usage: %s BACKENDS SLOTS TIMES\n", argv[0]);
		return 2;
	}
	for (unsigned int i = 0; i < backends; i++) {
		claims[i].address.word[2] = htonl(0xffff);
		claims[i].address.word[3] = htonl(0x0a010000 + i);
		claims[i].weight = DEFAULT_WEIGHT;
		claims[i].eligible = true;
	}
	for (int i = atoi(argv[3]); i > 0; i--) {
		double before = milliseconds();

		if (fill_table(owner, slots, claims, backends))
			return 1;
		printf("%.3f\n", milliseconds() - before);
	}
	return 0;
}
