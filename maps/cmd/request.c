// SPDX-License-Identifier: GPL-2.0
#include "cmd/request.h"

bool parse_nothing(struct words *words, struct request *request)
{
	(void)request;
	return no_more_words(words);
}

static bool take_vip(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a service");

	request->has_vip = word && parse_vip(word, &request->vip);
	return request->has_vip;
}

bool parse_vip_only(struct words *words, struct request *request)
{
	return take_vip(words, request) && no_more_words(words);
}

bool parse_optional_vip(struct words *words, struct request *request)
{
	return !words->left || parse_vip_only(words, request);
}

bool parse_vip_and_real(struct words *words, struct request *request)
{
	const char *word;

	if (!take_vip(words, request))
		return false;
	word = next_word(words, "a backend");
	request->has_real = word && parse_real(word, &request->real);
	return request->has_real && no_more_words(words);
}

bool select_services(const struct conf *conf, const struct request *request,
		     const struct conf_service **first, unsigned int *count)
{
	*first = conf->services;
	*count = conf->count;
	if (!request->has_vip)
		return true;
	*first = conf_need(conf, &request->vip);
	*count = 1;
	return *first;
}
