// SPDX-License-Identifier: GPL-2.0
/* deny add, del, show. There may be 100,000 prefixes: single ones go straight into the map. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/deny.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "kernel/bpf.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/discover.h"
#include "model/map_list.h"
#include "model/read_config.h"
#include "model/reconcile.h"

bool parse_deny(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a prefix");

	return word && parse_prefix(word, &request->prefix) && no_more_words(words);
}

/* From a file. */
enum status add_deny(struct conf *conf, const struct request *request)
{
	return conf_deny(conf, &request->prefix, request->line) ? DONE :
								  fail(FAILED, "out of memory");
}

/* The value is the prefix's length: so a lookup, which finds the longest match, tells whether it is
 * this prefix that is there. */
static enum status insert(struct balancer *balancer, const struct deny_key *key)
{
	int map = balancer->map[MAP_DENY], result;
	__u32 length;

	if (!map_lookup(map, key, &length) && length == key->length)
		result = -EEXIST;
	else
		result = map_update(map, key, &key->length, BPF_NOEXIST);
	if (result == -EEXIST)
		return fail(FAILED, "'%s': is denied already", text_of_prefix(key).s);
	if (result == -ENOSPC)
		return fail(FAILED, "no room for more than %u denied prefixes", MAX_DENIED);
	if (result)
		return fail(FAILED, "cannot deny '%s': %s", text_of_prefix(key).s,
			    strerror(-result));
	return DONE;
}

static enum status remove_prefix(struct balancer *balancer, const struct deny_key *key)
{
	int result = map_delete(balancer->map[MAP_DENY], key);

	if (result == -ENOENT)
		return fail(FAILED, "'%s': is not denied", text_of_prefix(key).s);
	if (result)
		return fail(FAILED, "cannot remove '%s': %s", text_of_prefix(key).s,
			    strerror(-result));
	return DONE;
}

static enum status change_denies(const struct request *request,
				 enum status (*change)(struct balancer *balancer,
						       const struct deny_key *key))
{
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);
	struct conf conf;

	if (status)
		return status;
	status = lock_balancer(&balancer);
	if (!status)
		status = conf_load(&balancer, &conf, false);
	if (!status) {
		status = change(&balancer, &request->prefix);
		conf_repair(&balancer, &conf, false);
		conf_free(&conf);
	}
	close_balancer(&balancer);
	return status;
}

enum status run_deny_add(const struct request *request)
{
	return change_denies(request, insert);
}

enum status run_deny_delete(const struct request *request)
{
	return change_denies(request, remove_prefix);
}

enum status show_denies(const struct request *request)
{
	struct balancer balancer;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, true);
	if (status)
		return status;
	if (options.json)
		json_array(NULL);
	for (unsigned int i = 0; i < conf.deny_count; i++) {
		if (options.json)
			json_string(NULL, text_of_prefix(&conf.denies[i].key).s);
		else
			printf("%s\n", text_of_prefix(&conf.denies[i].key).s);
	}
	if (options.json)
		json_end();
	close_and_free(&balancer, &conf);
	return DONE;
}
