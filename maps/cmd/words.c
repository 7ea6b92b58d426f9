// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/words.h"
#include "lib/error.h"
#include "lib/text.h"
#include "model/maglev.h"

#define MAX_WORD 80 /* longer than any endpoint */

static bool wrong(const char *word, const char *expected)
{
	fail(WRONG, "'%.100s': expected %s", word, expected);
	return false;
}

/* Digits only, and no leading zero. */
static bool is_number(const char *word, __u32 min, __u32 max, __u32 *value)
{
	__u64 number = 0;
	size_t length = strlen(word);

	if (!length || length > 10 || strspn(word, "0123456789") != length)
		return false;
	if (*word == '0' && length > 1)
		return false;
	number = strtoull(word, NULL, 10);
	*value = number;
	return number >= min && number <= max;
}

bool parse_number(const char *word, __u32 min, __u32 max, __u32 *value)
{
	if (is_number(word, min, max, value))
		return true;
	fail(WRONG, "'%.100s': expected a number from %u to %u", word, min, max);
	return false;
}

static bool is_address4(const char *text, struct address *address)
{
	memset(address, 0, sizeof(*address));
	address->word[2] = htonl(0xffff);
	return inet_pton(AF_INET, text, &address->word[3]) == 1;
}

static bool is_address6(const char *text, struct address *address)
{
	return inet_pton(AF_INET6, text, address) == 1 && !is_ipv4(address);
}

static bool is_multicast(const struct address *address)
{
	if (is_ipv4(address))
		return IN_MULTICAST(ntohl(address->word[3])) || !~address->word[3];
	return ntohl(address->word[0]) >> 24 == 0xff;
}

/* An address that a single host can have. */
static bool is_unicast(const struct address *address)
{
	if (is_zero_address(address) || (is_ipv4(address) && !address->word[3]))
		return false;
	return !is_multicast(address);
}

static bool is_port(const char *text, __be16 *port)
{
	__u32 number;

	if (!is_number(text, 1, 65535, &number))
		return false;
	*port = htons(number);
	return true;
}

/*
 * Reads ADDR4, ADDR4:PORT, ADDR6, [ADDR6] or [ADDR6]:PORT from `text`, which is cut up. A port is
 * not looked at: *port is its text, or NULL.
 */
static bool split_endpoint(char *text, struct address *address, char **port)
{
	char *end;

	*port = NULL;
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*end = '\0';
		if (end[1])
			*port = end + 2;
		return is_address6(text + 1, address);
	}
	end = strchr(text, ':');
	if (!end)
		return is_address4(text, address);
	if (strchr(end + 1, ':'))
		return is_address6(text, address);
	*end = '\0';
	*port = end + 1;
	return is_address4(text, address);
}

/* An endpoint with or without port. `any` is what may stand for port 0, or NULL. */
static bool is_endpoint(const char *word, const char *any, struct endpoint *endpoint,
			bool *has_port)
{
	char text[MAX_WORD];
	char *port;

	memset(endpoint, 0, sizeof(*endpoint));
	if (strlen(word) >= sizeof(text))
		return false;
	strcpy(text, word);
	if (!split_endpoint(text, &endpoint->address, &port) || !is_unicast(&endpoint->address))
		return false;
	*has_port = port;
	if (!port || (any && !strcmp(port, any)))
		return true;
	return is_port(port, &endpoint->port);
}

static bool split_protocol(char *text, __u8 *protocol)
{
	char *slash = strrchr(text, '/');

	if (!slash)
		return false;
	*slash = '\0';
	*protocol = !strcmp(slash + 1, "tcp") ? IPPROTO_TCP :
		    !strcmp(slash + 1, "udp") ? IPPROTO_UDP :
						0;
	return *protocol;
}

bool parse_vip(const char *word, struct endpoint *vip)
{
	static const char expected[] = "a service as 10.0.0.10:80/tcp or [fd00::10]:53/udp";
	char text[MAX_WORD];
	__u8 protocol;
	bool has_port;

	if (strlen(word) >= sizeof(text))
		return wrong(word, expected);
	strcpy(text, word);
	if (!split_protocol(text, &protocol) || !is_endpoint(text, "*", vip, &has_port) ||
	    !has_port)
		return wrong(word, expected);
	vip->protocol = protocol;
	return true;
}

bool parse_real(const char *word, struct endpoint *real)
{
	static const char expected[] = "a backend as 10.0.0.2, 10.0.0.2:80 or [fd00::2]:80";
	bool has_port;

	return is_endpoint(word, NULL, real, &has_port) || wrong(word, expected);
}

bool parse_client(const char *word, struct endpoint *client)
{
	bool has_port;

	return (is_endpoint(word, NULL, client, &has_port) && has_port) ||
	       wrong(word, "a client as 10.0.0.1:40000 or [fd00::1]:40000");
}

bool parse_address(const char *word, void *value)
{
	struct address *address = value;

	return ((is_address4(word, address) || is_address6(word, address)) &&
		is_unicast(address)) ||
	       wrong(word, "an address as 10.0.0.2 or fd00::2");
}

static bool bit_of(const struct deny_key *key, __u32 bit)
{
	return ((const __u8 *)&key->prefix)[bit / 8] >> (7 - bit % 8) & 1;
}

/* Whether no bit is set behind the prefix. */
static bool is_whole_prefix(const struct deny_key *key)
{
	for (__u32 bit = key->length; bit < 128; bit++) {
		if (bit_of(key, bit))
			return false;
	}
	return true;
}

/* In the map IPv4 addresses are IPv6 addresses as well: ::/0, ::/1 ... would match all of them. */
static bool covers_ipv4(const struct deny_key *key)
{
	for (__u32 bit = 0; bit < key->length; bit++) {
		if (bit_of(key, bit) != (bit >= 80))
			return false;
	}
	return key->length < 96;
}

bool parse_prefix(const char *word, struct deny_key *key)
{
	static const char expected[] = "a prefix (no bit behind it) as 192.0.2.0/24 or fd00::/8";
	char text[MAX_WORD];
	bool ipv4;
	char *slash;

	memset(key, 0, sizeof(*key));
	if (strlen(word) >= sizeof(text))
		return wrong(word, expected);
	strcpy(text, word);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	ipv4 = is_address4(text, &key->prefix);
	if (!ipv4 && !is_address6(text, &key->prefix))
		return wrong(word, expected);
	key->length = ipv4 ? 32 : 128;
	if (slash && !is_number(slash, 0, key->length, &key->length))
		return wrong(word, expected);
	key->length += ipv4 ? 96 : 0;
	if (covers_ipv4(key))
		return wrong(word, "a prefix that leaves out ::ffff:0:0/96, as 2000::/3");
	return is_whole_prefix(key) || wrong(word, expected);
}

bool parse_weight(const char *word, void *value)
{
	return parse_number(word, 1, MAX_WEIGHT, value);
}

bool parse_seconds(const char *word, void *value)
{
	return parse_number(word, 1, MAX_SECONDS, value);
}

bool parse_settle(const char *word, void *value)
{
	__u32 *settle = value;

	if (!parse_number(word, 0, MAX_SECONDS, settle))
		return false;
	if (!*settle)
		*settle = SETTLE_UNLIMITED;
	return true;
}

bool parse_rate(const char *word, void *value)
{
	return parse_number(word, 1, MAX_RATE, value);
}

bool parse_count(const char *word, void *value)
{
	return parse_number(word, 1, ~0U, value);
}

bool parse_slots(const char *word, void *value)
{
	__u32 number;

	if (!is_number(word, 2, MAX_SLOTS, &number) || !is_prime(number)) {
		fail(WRONG, "'%.100s': expected a prime from 2 to %u", word, MAX_SLOTS);
		return false;
	}
	*(__u32 *)value = number;
	return true;
}

bool parse_mode(const char *word, void *value)
{
	for (__u32 mode = MODE_NAT; mode < MODES; mode++) {
		*(__u32 *)value = mode;
		if (!strcmp(word, mode_name(mode)))
			return true;
	}
	return wrong(word, "nat, dsr, ipip, dnat or user");
}

bool parse_hash(const char *word, void *value)
{
	*(__u32 *)value = !strcmp(word, "source") ? HASH_SOURCE : HASH_FLOW;
	return !strcmp(word, "source") || !strcmp(word, "flow") || wrong(word, "flow or source");
}

bool parse_pick(const char *word, void *value)
{
	*(__u32 *)value = !strcmp(word, "least") ? PICK_LEAST : PICK_HASH;
	return !strcmp(word, "least") || !strcmp(word, "hash") || wrong(word, "hash or least");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_mac(const char *word, void *value)
{
	static const char expected[] = "the MAC address of a host as 02:00:00:00:00:01";
	static const __u8 zero[6];
	__u8 *mac = value;

	if (strlen(word) != 17)
		return wrong(word, expected);
	for (int i = 0; i < 6; i++) {
		int high = hex_digit(word[3 * i]), low = hex_digit(word[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && word[3 * i + 2] != ':'))
			return wrong(word, expected);
		mac[i] = high << 4 | low;
	}
	return (!(mac[0] & 1) && memcmp(mac, zero, sizeof(zero))) || wrong(word, expected);
}

const char *next_word(struct words *words, const char *what)
{
	if (!words->left) {
		fail(WRONG, "expected %s at the end", what);
		return NULL;
	}
	words->left--;
	return *words->word++;
}

bool no_more_words(const struct words *words)
{
	if (!words->left)
		return true;
	return wrong(*words->word, "no more words");
}

static bool unknown_option(const char *word, const struct option *options, unsigned int count)
{
	char expected[100] = "";

	for (unsigned int i = 0; i < count; i++) {
		if (i)
			strcat(expected, i + 1 < count ? ", " : " or ");
		strncat(expected, options[i].name, 16);
	}
	return wrong(word, count ? expected : "no more words");
}

static struct option *find_option(const char *word, struct option *options, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!strcmp(word, options[i].name))
			return &options[i];
	}
	return NULL;
}

bool parse_options(struct words *words, struct option *options, unsigned int count)
{
	while (words->left) {
		const char *word = next_word(words, "an option");
		struct option *option = find_option(word, options, count);

		if (!option)
			return unknown_option(word, options, count);
		if (option->given)
			return wrong(word, "each option once");
		option->given = true;
		if (!option->parse) {
			*(bool *)option->value = true;
			continue;
		}
		word = next_word(words, option->name);
		if (!word || !option->parse(word, option->value))
			return false;
	}
	return true;
}
