/* SPDX-License-Identifier: GPL-2.0 */
/* What a command's words ask for. */
#ifndef CMD_REQUEST_H
#define CMD_REQUEST_H

#include <stdbool.h>

#include "cmd/words.h"
#include "lib/address.h"
#include "model/config.h"

#define WATCH_ADDRESSES 2 /* one for each family */

/* A command's words, parsed. What was not given is zero. */
struct request {
	struct endpoint vip;
	bool has_vip;
	struct endpoint real; /* backend, or client */
	struct endpoint other; /* the second address of a filter */
	bool has_real, has_other;
	__u32 mode, slots, settle, hash, pick; /* of a service */
	struct address via;
	__u32 weight;
	__u8 mac[6];
	bool has_mac;
	__u32 pps, burst, flows, conns, pmtu; /* limits */
	bool per_source; /* flows */
	__u32 health; /* enum health, that a checker says */
	bool is_backup;
	struct check check;
	unsigned int timeout; /* index of timeout_names */
	__u32 seconds;
	__u32 count;
	struct deny_key prefix;
	const char *object;
	const char *file;
	char **list; /* words of one kind: files of a configuration, or addresses */
	unsigned int list_count;
	const char *device;
	const char *directory; /* for status.json and metrics */
	const struct configuration *config; /* what the file says */
	bool dry;
	bool may_be_empty; /* the file, though services run */
	struct file_line said_at; /* in a configuration file */
	__u32 table; /* of the kernel's, for addresses that are announced; 0: none */
	bool keep; /* they are announced even if no backend can get flows */
	struct address from[WATCH_ADDRESSES]; /* that checks come from */
	unsigned int from_count;
};

/* Parsers that several commands share. take_...() reads one word, parse_...() all that are left. */
bool take_vip(struct words *words, struct request *request);
bool take_vip_and_real(struct words *words, struct request *request);
bool take_device(struct words *words, struct request *request);
/* Takes the next word if it is this one, and was not given yet. */
bool take_flag(struct words *words, const char *name, bool *flag);
bool parse_nothing(struct words *words, struct request *request);
bool parse_vip_only(struct words *words, struct request *request);
bool parse_optional_vip(struct words *words, struct request *request);
bool parse_vip_and_real(struct words *words, struct request *request);

#endif
