// SPDX-License-Identifier: GPL-2.0
/* deny add, del, show. There may be 100,000 prefixes: single ones go straight into the map. */
#include <errno.h>
#include <string.h>

#include "cmd/deny.h"
#include "cmd/print.h"
#include "kernel/bpf.h"
#include "lib/text.h"
#include "model/map_list.h"
#include "model/sweep.h"

bool parse_deny(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a prefix");

	return word && parse_prefix(word, &request->prefix) && no_more_words(words);
}

/* From a file. */
enum status add_deny(struct configuration *config, const struct request *request)
{
	return config_deny(config, &request->prefix, &request->said_at) ? DONE :
									  fail(FAILED, "out of "
										       "memory");
}

/* The value is the prefix's length: so a lookup, which finds the longest match, tells whether it is
 * this prefix that is there. */
enum status insert_deny(struct balancer *balancer, const struct request *request)
{
	const struct deny_key *key = &request->prefix;
	int map = balancer->map[MAP_DENY], result;
	__u32 length;

	if (!map_lookup(map, key, &length) && length == key->length) {
		result = -EEXIST;
	} else {
		request_sweep(balancer);
		result = map_update(map, key, &key->length, BPF_NOEXIST);
	}
	if (result == -EEXIST)
		return fail(FAILED, "%s is already denied", text_of_prefix(key).s);
	if (result == -ENOSPC)
		return fail(FAILED, "no room for more than %u denied prefixes", MAX_DENIED);
	if (result)
		return fail(FAILED, "cannot deny %s: %s", text_of_prefix(key).s, strerror(-result));
	return DONE;
}

enum status delete_deny(struct balancer *balancer, const struct request *request)
{
	const struct deny_key *key = &request->prefix;
	int result = map_delete(balancer->map[MAP_DENY], key);

	if (result == -ENOENT)
		return fail(FAILED, "%s is not denied", text_of_prefix(key).s);
	if (result)
		return fail(FAILED, "cannot remove %s: %s", text_of_prefix(key).s,
			    strerror(-result));
	return DONE;
}

enum status show_denies(struct view *view, const struct request *request)
{
	(void)request;
	open_array(NULL);
	for (unsigned int i = 0; i < view->config.deny_count; i++)
		print_string(NULL, "%s\n", text_of_prefix(&view->config.denies[i].key).s);
	close_level();
	return DONE;
}
