/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, endpoints and names as they are printed. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>

#include "xdp_lb.h"

/* An address and port, of a service (with its protocol), a backend or a client. */
struct endpoint {
	struct address address;
	__be16 port; /* 0: any, or not given */
	__u8 protocol; /* 0: not given */
};

/* A short text, returned by value: text_of_...(...).s is good until the end of the statement. */
struct text {
	char s[80];
};

bool is_ipv4(const struct address *address);
bool is_zero_address(const struct address *address);
bool same_address(const struct address *a, const struct address *b);

struct text text_of_address(const struct address *address);
struct text text_of_vip(const struct endpoint *vip); /* 10.0.0.10:80/tcp, [fd00::1]:53/udp */
struct text text_of_real(const struct endpoint *real); /* no port if it is 0 */
struct text text_of_socket(const struct endpoint *endpoint); /* always with its port */
struct text text_of_prefix(const struct deny_key *key);
struct text text_of_mac(const __u8 *mac);

const char *mode_name(__u8 mode);
const char *hash_name(__u8 hash);
const char *state_name(__u8 state);
const char *protocol_name(__u8 protocol);
const char *action_name(__u32 verdict); /* tx, pass, ... */
const char *reason_name(__u32 verdict);

#endif
