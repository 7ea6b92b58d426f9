// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "watch/http.h"

size_t http_request(const struct target *target, char request[HTTP_REQUEST_SIZE])
{
	bool ipv4 = is_ipv4(&target->vip.address);
	char address[80];

	snprintf(address, sizeof(address), "%s%.50s%s", ipv4 ? "" : "[",
		 text_of_address(&target->vip.address).s, ipv4 ? "" : "]");
	return snprintf(request, HTTP_REQUEST_SIZE,
			"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: xdp-lb\r\n"
			"Connection: close\r\n\r\n",
			target->check.word, *target->check.host ? target->check.host : address);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *http_fault(const struct check *check, const char *answer, size_t length)
{
	static char fault[40];
	const char *digit = answer + HTTP_STATUS_END - 3;
	unsigned int status;

	if (!length)
		return "closed without an answer";
	if (length < HTTP_STATUS_END || memcmp(answer, "HTTP/1.", 7) != 0 || answer[8] != ' ' ||
	    !is_digit(digit[0]) || !is_digit(digit[1]) || !is_digit(digit[2]))
		return "the answer is not HTTP";
	status = 100 * (digit[0] - '0') + 10 * (digit[1] - '0') + digit[2] - '0';
	if (check->status ? status == check->status : status >= 200 && status <= 399)
		return NULL;
	snprintf(fault, sizeof(fault), "status %u", status);
	return fault;
}
