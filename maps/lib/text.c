// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

struct text text_of_address(const struct address *address)
{
	struct text text = { "" };

	if (is_ipv4(address))
		inet_ntop(AF_INET, &address->word[3], text.s, sizeof(text.s));
	else
		inet_ntop(AF_INET6, address, text.s, sizeof(text.s));
	return text;
}

/* ADDR4:PORT or [ADDR6]:PORT, port 0 as `*`, and then `end`. */
static struct text join(const struct endpoint *endpoint, const char *end)
{
	bool ipv4 = is_ipv4(&endpoint->address);
	char port[8] = "*";
	struct text text;

	if (endpoint->port)
		snprintf(port, sizeof(port), "%u", ntohs(endpoint->port));
	snprintf(text.s, sizeof(text.s), "%s%.46s%s:%s%.6s", ipv4 ? "" : "[",
		 text_of_address(&endpoint->address).s, ipv4 ? "" : "]", port, end);
	return text;
}

struct text text_of_vip(const struct endpoint *vip)
{
	return join(vip, vip->protocol == IPPROTO_TCP ? "/tcp" : "/udp");
}

struct text text_of_real(const struct endpoint *real)
{
	return real->port ? join(real, "") : text_of_address(&real->address);
}

struct text text_of_socket(const struct endpoint *endpoint)
{
	return join(endpoint, "");
}

struct text text_of_prefix(const struct deny_key *key)
{
	struct text text;

	snprintf(text.s, sizeof(text.s), "%.46s/%u", text_of_address(&key->prefix).s,
		 is_ipv4(&key->prefix) ? key->length - 96 : key->length);
	return text;
}

struct text text_of_mac(const __u8 *mac)
{
	struct text text;

	snprintf(text.s, sizeof(text.s), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

struct text text_of_seconds(__u32 milliseconds)
{
	struct text text;
	size_t length = snprintf(text.s, sizeof(text.s), "%u.%03u", milliseconds / 1000,
				 milliseconds % 1000);

	while (text.s[length - 1] == '0')
		length--;
	if (text.s[length - 1] == '.')
		length--;
	text.s[length] = '\0';
	return text;
}

const char *mode_name(__u8 mode)
{
	static const char *const names[] = { "nat", "dsr", "ipip", "dnat", "user" };

	return mode < MODES ? names[mode] : "unknown";
}

const char *health_name(__u8 health)
{
	static const char *const names[] = { "unknown", "ok", "failing" };

	return health <= HEALTH_FAILING ? names[health] : "unknown";
}

const char *check_type_name(__u8 type)
{
	static const char *const names[] = { "none", "tcp", "http", "exec" };

	return type < CHECK_TYPES ? names[type] : "none";
}

const char *hash_name(__u8 hash)
{
	return hash == HASH_SOURCE ? "source" : "flow";
}

const char *pick_name(__u8 pick)
{
	return pick == PICK_LEAST ? "least" : "hash";
}

const char *state_name(__u8 state)
{
	static const char *const names[] = { "up", "draining", "down" };

	return state <= STATE_DOWN ? names[state] : "unknown";
}

const char *protocol_name(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

const char *action_name(__u32 verdict)
{
	enum { TX, PASS, DROP, REDIRECT, ABORTED };
	static const char *const names[] = { "tx", "pass", "drop", "redirect", "aborted" };
#define VERDICT_ACTION(name, action, reason) action,
	static const __u8 actions[] = { VERDICT_LIST(VERDICT_ACTION) };
#undef VERDICT_ACTION

	return verdict < VERDICTS ? names[actions[verdict]] : "unknown";
}

const char *reason_name(__u32 verdict)
{
#define VERDICT_REASON(name, action, reason) reason,
	static const char *const reasons[] = { VERDICT_LIST(VERDICT_REASON) };
#undef VERDICT_REASON

	return verdict < VERDICTS ? reasons[verdict] : "unknown";
}

const char *choice_name(__u32 choice)
{
#define CHOICE_TEXT(name, text) text,
	static const char *const names[] = { CHOICE_LIST(CHOICE_TEXT) };
#undef CHOICE_TEXT

	return choice < CHOICES ? names[choice] : "unknown";
}

const char *slow_name(__u32 cause)
{
#define SLOW_TEXT(name, text) text,
	static const char *const names[] = { SLOW_LIST(SLOW_TEXT) };
#undef SLOW_TEXT

	return cause < SLOW_CAUSES ? names[cause] : "unknown";
}

const char *name_of_file(const char *word)
{
	return strcmp(word, "-") ? word : "standard input";
}
