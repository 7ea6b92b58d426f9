// SPDX-License-Identifier: GPL-2.0
/* timeout show, set */
#include <string.h>

#include "cmd/print.h"
#include "cmd/timeout.h"

const char *const timeout_names[TIMEOUTS] = { "tcp", "fin", "udp" };

static const size_t offsets[TIMEOUTS] = {
	offsetof(struct configuration, tcp_timeout),
	offsetof(struct configuration, fin_timeout),
	offsetof(struct configuration, udp_timeout),
};

__u32 timeout_of(const struct configuration *config, unsigned int i)
{
	return *(const __u32 *)((const char *)config + offsets[i]);
}

bool parse_timeout(struct words *words, struct request *request)
{
	const char *word = next_word(words, "tcp, fin or udp");

	if (!word)
		return false;
	while (request->timeout < TIMEOUTS && strcmp(word, timeout_names[request->timeout]))
		request->timeout++;
	if (request->timeout == TIMEOUTS) {
		fail(WRONG, "'%.100s': expected tcp, fin or udp", word);
		return false;
	}
	word = next_word(words, "seconds");
	return word && parse_seconds(word, &request->seconds) && no_more_words(words);
}

enum status set_timeout(struct configuration *config, const struct request *request)
{
	*(__u32 *)((char *)config + offsets[request->timeout]) = request->seconds;
	return DONE;
}

enum status show_timeouts(struct view *view, const struct request *request)
{
	(void)request;
	open_object(NULL);
	for (unsigned int i = 0; i < TIMEOUTS; i++) {
		print_text("%s ", timeout_names[i]);
		print_number(timeout_names[i], "%llu\n", timeout_of(&view->config, i));
	}
	close_level();
	return DONE;
}
