// SPDX-License-Identifier: GPL-2.0
#include <net/if.h>
#include <string.h>

#include "cmd/request.h"
#include "lib/error.h"

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

bool take_device(struct words *words, struct request *request)
{
	const char *device = next_word(words, "a device");

	request->device = device;
	if (!device)
		return false;
	if (*device && strlen(device) < IF_NAMESIZE && !strchr(device, '/'))
		return true;
	fail(WRONG, "'%.100s': the name of a device expected", device);
	return false;
}

bool take_flag(struct words *words, const char *name, bool *flag)
{
	if (*flag || !words->left || strcmp(*words->word, name))
		return false;
	*flag = true;
	return next_word(words, name);
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
