/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, endpoints and names as they are printed. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include "lib/address.h"

/* A short text, returned by value: text_of_...(...).s is good until the end of the statement. */
struct text {
	char s[80];
};

struct text text_of_address(const struct address *address);
struct text text_of_vip(const struct endpoint *vip); /* 10.0.0.10:80/tcp, [fd00::1]:53/udp */
struct text text_of_real(const struct endpoint *real); /* no port if it is 0 */
struct text text_of_socket(const struct endpoint *endpoint); /* always with its port */
struct text text_of_prefix(const struct deny_key *key);
struct text text_of_seconds(__u32 milliseconds); /* 2, 0.5 */
struct text text_of_mac(const __u8 *mac);
const char *name_of_file(const char *word); /* as messages have it: - is standard input */

const char *mode_name(__u8 mode);
const char *hash_name(__u8 hash);
const char *pick_name(__u8 pick);
const char *state_name(__u8 state);
const char *health_name(__u8 health);
const char *check_type_name(__u8 type);
const char *protocol_name(__u8 protocol);
const char *action_name(__u32 verdict); /* tx, pass, ... */
const char *reason_name(__u32 verdict);
const char *choice_name(__u32 choice); /* enum choice */
const char *slow_name(__u32 cause); /* index of struct slow_stats */

#endif
