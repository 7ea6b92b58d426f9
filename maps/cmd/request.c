// SPDX-License-Identifier: GPL-2.0
#include "cmd/request.h"

bool parse_nothing(struct words *words, struct request *request)
{
	(void)request;
	return no_more_words(words);
}

bool take_vip(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a service");

	request->has_vip = word && parse_vip(word, &request->vip);
	return request->has_vip;
}

bool take_vip_and_real(struct words *words, struct request *request)
{
	const char *word;

	if (!take_vip(words, request))
		return false;
	word = next_word(words, "a backend");
	request->has_real = word && parse_real(word, &request->real);
	return request->has_real;
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
	return take_vip_and_real(words, request) && no_more_words(words);
}
