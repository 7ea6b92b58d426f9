/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From words to values. Every parser takes a word and where the value goes, and returns whether the
 * word was right; if not it has said so, in one line that names the word and what was expected.
 */
#ifndef CMD_WORDS_H
#define CMD_WORDS_H

#include <stdbool.h>

#include "lib/address.h"

#define MAX_SECONDS 1000000 /* of timeouts and transitions: 11 days; ticks wrap after 52 */
#define MAX_RATE 100000000 /* packets or flows per second */

/* The words of a command that are still to be read. */
struct words {
	char **word;
	int left;
};

typedef bool (*parser)(const char *word, void *value);

bool parse_vip(const char *word, struct endpoint *vip);
bool parse_real(const char *word, struct endpoint *real);
bool parse_client(const char *word, struct endpoint *client);
bool parse_prefix(const char *word, struct deny_key *key);
bool parse_number(const char *word, __u32 min, __u32 max, __u32 *value);

/* Values of options: __u32, but for the MAC, which is six bytes, and struct address. */
bool parse_weight(const char *word, void *value);
bool parse_mac(const char *word, void *value);
bool parse_address(const char *word, void *value);
bool parse_mode(const char *word, void *value);
bool parse_hash(const char *word, void *value);
bool parse_pick(const char *word, void *value);
bool parse_slots(const char *word, void *value);
bool parse_seconds(const char *word, void *value);
bool parse_settle(const char *word, void *value); /* 0: SETTLE_UNLIMITED */
bool parse_rate(const char *word, void *value);
bool parse_count(const char *word, void *value);

/* The next word, or NULL after saying that `what` is missing. */
const char *next_word(struct words *words, const char *what);
bool no_more_words(const struct words *words);

/* An option: its name, then a word for its value. */
struct option {
	const char *name;
	parser parse; /* of the word that follows; NULL: there is none, `value` is a bool */
	void *value;
	bool given;
};

/* Reads options, in any order and each at most once, until no word is left. */
bool parse_options(struct words *words, struct option *options, unsigned int count);

#endif
