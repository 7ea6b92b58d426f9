// SPDX-License-Identifier: GPL-2.0
/* timeout show, set */
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/timeout.h"
#include "model/balancer.h"

/* Where the timeout of this name is; NULL: there is none. */
static __u32 *timeout_named(struct conf *conf, const char *name)
{
	return !strcmp(name, "tcp") ? &conf->tcp_timeout :
	       !strcmp(name, "fin") ? &conf->fin_timeout :
	       !strcmp(name, "udp") ? &conf->udp_timeout :
				      NULL;
}

bool parse_timeout(struct words *words, struct request *request)
{
	const char *word = next_word(words, "tcp, fin or udp");
	struct conf conf;

	if (!word)
		return false;
	if (!timeout_named(&conf, word)) {
		fail(WRONG, "'%.100s': tcp, fin or udp expected", word);
		return false;
	}
	request->timeout = word;
	word = next_word(words, "seconds");
	return word && parse_seconds(word, &request->seconds) && no_more_words(words);
}

enum status set_timeout(struct conf *conf, const struct request *request)
{
	*timeout_named(conf, request->timeout) = request->seconds;
	return DONE;
}

enum status show_timeouts(const struct request *request)
{
	struct balancer balancer;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	if (options.json) {
		json_object(NULL);
		json_number("tcp", conf.tcp_timeout);
		json_number("fin", conf.fin_timeout);
		json_number("udp", conf.udp_timeout);
		json_end();
	} else {
		printf("tcp %u\nfin %u\nudp %u\n", conf.tcp_timeout, conf.fin_timeout,
		       conf.udp_timeout);
	}
	close_and_free(&balancer, &conf);
	return DONE;
}
