/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_SETUP_H
#define BENCH_SETUP_H

#include <stdint.h>

#include "maps/xdp_lb.h"

#define VIP_BASE 0x0a000010 /* 10.0.0.16 */
#define BACKEND_BASE 0x0a010000 /* 10.1.0.0 */
#define CLIENT_BASE 0x0a800000 /* 10.128.0.0 */
#define PORT_BASE 8000

struct setup {
	enum mode mode;
	int ipv6;
	uint8_t protocol;
	uint32_t services;
	uint32_t backends; /* of each service */
	uint32_t ifindex;
};

void make_setup(int program, const struct setup *setup);

#endif
