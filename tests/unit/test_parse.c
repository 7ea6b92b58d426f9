// SPDX-License-Identifier: GPL-2.0
/* The helper's parsers: words that are right, with what is printed for them, and words that are
 * not. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cmd/command.h"
#include "lib/text.h"

#define WORD_COUNT(words) (sizeof(words) / sizeof(*(words)))

/* A word, and its canonical form: NULL if it is wrong. */
struct word {
	const char *word;
	const char *text;
};

static const struct word vips[] = {
	{ "10.0.0.10:8000/tcp", "10.0.0.10:8000/tcp" },
	{ "10.0.0.10:1/udp", "10.0.0.10:1/udp" },
	{ "10.0.0.10:65535/udp", "10.0.0.10:65535/udp" },
	{ "10.0.0.10:*/tcp", "10.0.0.10:*/tcp" },
	{ "[fd00:10::10]:53/udp", "[fd00:10::10]:53/udp" },
	{ "[FD00:0010:0:0:0:0:0:0010]:*/udp", "[fd00:10::10]:*/udp" },
	{ "[::ffff:0:1.2.3.4]:1/tcp", "[::ffff:0:102:304]:1/tcp" },
	{ "10.0.0.10", NULL },
	{ "10.0.0.10:80", NULL },
	{ "10.0.0.10/tcp", NULL },
	{ "10.0.0.10:/tcp", NULL },
	{ "10.0.0.10:80/", NULL },
	{ "10.0.0.10:80/TCP", NULL },
	{ "10.0.0.10:80/sctp", NULL },
	{ "10.0.0.10:80/tcp ", NULL },
	{ " 10.0.0.10:80/tcp", NULL },
	{ "10.0.0.10: 80/tcp", NULL },
	{ "10.0.0.10:0/tcp", NULL },
	{ "10.0.0.10:080/tcp", NULL },
	{ "10.0.0.10:+80/tcp", NULL },
	{ "10.0.0.10:-1/tcp", NULL },
	{ "10.0.0.10:65536/tcp", NULL },
	{ "10.0.0.10:4294967376/tcp", NULL },
	{ "10.0.0.10:80x/tcp", NULL },
	{ "10.0.0.10:**/tcp", NULL },
	{ "10.0.0:80/tcp", NULL },
	{ "10.0.0.256:80/tcp", NULL },
	{ "010.0.0.10:80/tcp", NULL },
	{ "0.0.0.0:80/tcp", NULL },
	{ "224.0.0.1:80/tcp", NULL },
	{ "239.255.255.255:80/tcp", NULL },
	{ "255.255.255.255:80/tcp", NULL },
	{ "fd00::1:80/tcp", NULL },
	{ "[10.0.0.10]:80/tcp", NULL },
	{ "[fd00::1]80/tcp", NULL },
	{ "[fd00::1:80/tcp", NULL },
	{ "[fd00::1]/tcp", NULL },
	{ "[::]:80/tcp", NULL },
	{ "[ff02::1]:80/tcp", NULL },
	{ "[::ffff:10.0.0.1]:80/tcp", NULL },
	{ "[fe80::1%eth0]:80/tcp", NULL },
	{ "", NULL },
	{ "/", NULL },
	{ ":", NULL },
	{ "[", NULL },
	{ "[]:80/tcp", NULL },
	{ "10.0.0.10:80/tcp/tcp", NULL },
};

static const struct word reals[] = {
	{ "10.0.0.2", "10.0.0.2" },
	{ "10.0.0.2:80", "10.0.0.2:80" },
	{ "fd00::2", "fd00::2" },
	{ "[fd00::2]", "fd00::2" },
	{ "[fd00::2]:80", "[fd00::2]:80" },
	{ "10.0.0.2:0", NULL },
	{ "10.0.0.2:*", NULL },
	{ "10.0.0.2:", NULL },
	{ "10.0.0.2:80/tcp", NULL },
	{ "[fd00::2]:", NULL },
	{ "[fd00::2]x", NULL },
	{ "[fd00::2", NULL },
	{ "fd00::2]", NULL },
	{ "0.0.0.0", NULL },
	{ "::", NULL },
	{ "224.0.0.1", NULL },
	{ "ff02::1", NULL },
	{ "::ffff:10.0.0.2", NULL },
	{ "fe80::1%eth0", NULL },
	{ "host.example", NULL },
	{ "", NULL },
};

static const struct word clients[] = {
	{ "10.0.0.1:40000", "10.0.0.1:40000" },
	{ "[fd00::1]:40000", "[fd00::1]:40000" },
	{ "10.0.0.1", NULL },
	{ "fd00::1", NULL },
	{ "[fd00::1]", NULL },
	{ "10.0.0.1:0", NULL },
};

static const struct word prefixes[] = {
	{ "10.0.0.0/8", "10.0.0.0/8" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "192.0.2.1", "192.0.2.1/32" },
	{ "192.0.2.1/32", "192.0.2.1/32" },
	{ "2001:db8::/32", "2001:db8::/32" },
	{ "2001:db8::1", "2001:db8::1/128" },
	{ "2000::/3", "2000::/3" },
	{ "::/96", "::/96" },
	{ "10.0.0.1/8", NULL },
	{ "10.0.0.0/33", NULL },
	{ "10.0.0.0/08", NULL },
	{ "10.0.0.0/-1", NULL },
	{ "10.0.0.0/", NULL },
	{ "/8", NULL },
	{ "2001:db8::1/32", NULL },
	{ "2001:db8::/129", NULL },
	{ "::ffff:10.0.0.0/104", NULL },
	{ "fe80::%eth0/64", NULL },
	/* These would match all of IPv4 as well. */
	{ "::/0", NULL },
	{ "::/80", NULL },
	{ "::8000:0:0/81", NULL },
	{ "::fffe:0:0/95", NULL },
};

static const struct word macs[] = {
	{ "de:ad:be:ef:00:01", "de:ad:be:ef:00:01" },
	{ "DE:AD:BE:EF:00:01", "de:ad:be:ef:00:01" },
	{ "00:00:00:00:00:00", NULL },
	{ "ff:ff:ff:ff:ff:ff", NULL },
	{ "01:00:5e:00:00:01", NULL },
	{ "de:ad:be:ef:00", NULL },
	{ "de:ad:be:ef:00:1", NULL },
	{ "de:ad:be:ef:00:01:", NULL },
	{ "de-ad-be-ef-00-01", NULL },
	{ "de:ad:be:ef:00:0g", NULL },
	{ "", NULL },
};

static const struct word weights[] = {
	{ "1", "1" },		{ "100", "100" }, { "1000", "1000" },
	{ "0", NULL },		{ "1001", NULL }, { "-1", NULL },
	{ "+1", NULL },		{ "01", NULL },	  { "1.5", NULL },
	{ " 1", NULL },		{ "1 ", NULL },	  { "", NULL },
	{ "0x10", NULL },	{ "ten", NULL },  { "99999999999999999999", NULL },
	{ "4294967297", NULL },
};

static const struct word sizes[] = {
	{ "2", "2" },	    { "251", "251" }, { "65537", "65537" }, { "655373", "655373" },
	{ "0", NULL },	    { "1", NULL },    { "4", NULL },	    { "65536", NULL },
	{ "655379", NULL }, { "-2", NULL },   { "65537x", NULL },   { "4294967291", NULL },
};

/* Parses a word into the text that is printed for its value. */
typedef bool (*parse_word)(const char *word, struct text *text);

static bool vip_text(const char *word, struct text *text)
{
	struct endpoint vip = { 0 };
	bool good = parse_vip(word, &vip);

	*text = text_of_vip(&vip);
	return good;
}

static bool real_text(const char *word, struct text *text)
{
	struct endpoint real = { 0 };
	bool good = parse_real(word, &real);

	*text = text_of_real(&real);
	return good;
}

static bool client_text(const char *word, struct text *text)
{
	struct endpoint client = { 0 };
	bool good = parse_client(word, &client);

	*text = text_of_socket(&client);
	return good;
}

static bool prefix_text(const char *word, struct text *text)
{
	struct deny_key key;
	bool good = parse_prefix(word, &key);

	if (good)
		*text = text_of_prefix(&key);
	return good;
}

static bool mac_text(const char *word, struct text *text)
{
	__u8 mac[6] = { 0 };
	bool good = parse_mac(word, mac);

	*text = text_of_mac(mac);
	return good;
}

static bool weight_text(const char *word, struct text *text)
{
	__u32 weight = 0;
	bool good = parse_weight(word, &weight);

	snprintf(text->s, sizeof(text->s), "%u", weight);
	return good;
}

static bool size_text(const char *word, struct text *text)
{
	__u32 slots = 0;
	bool good = parse_slots(word, &slots);

	snprintf(text->s, sizeof(text->s), "%u", slots);
	return good;
}

static void test_words(const char *what, const struct word *words, unsigned int count,
		       parse_word parse)
{
	for (unsigned int i = 0; i < count; i++) {
		struct text text = { "" };
		bool good = parse(words[i].word, &text);
		char name[160];

		snprintf(name, sizeof(name), "%s '%s'", what, words[i].word);
		if (words[i].text)
			check(name, good && !strcmp(text.s, words[i].text), "is '%s'",
			      good ? text.s : "refused");
		else
			check(name, !good, "is '%s'", text.s);
	}
}

/* A line as `apply` reads it, and whether its words are right. */
static const struct {
	const char *line;
	bool is_right;
} lines[] = {
	{ "service add 10.0.0.10:80/tcp", true },
	{ "service add 10.0.0.10:80/tcp mode dsr table 251 settle 60 hash source", true },
	{ "service add 10.0.0.10:80/tcp hash flow mode ipip", true },
	{ "service add 10.0.0.10:80/tcp pick least", true },
	{ "service add 10.0.0.10:80/tcp mode dsr pick hash", true },
	{ "service add 10.0.0.10:80/tcp pick least mode dsr", false },
	{ "service add 10.0.0.10:80/tcp pick fewest", false },
	{ "service add 10.0.0.10:80/tcp mode", false },
	{ "service add 10.0.0.10:80/tcp mode gre", false },
	{ "service add 10.0.0.10:80/tcp mode nat mode nat", false },
	{ "service add 10.0.0.10:80/tcp settle 0", true },
	{ "service add 10.0.0.10:80/tcp weight 5", false },
	{ "service add", false },
	{ "service", false },
	{ "service del 10.0.0.10:80/tcp extra", false },
	{ "service show", true },
	{ "service show all", false },
	{ "backend add 10.0.0.10:80/tcp 10.0.0.2 weight 5 mac de:ad:be:ef:00:01", true },
	{ "backend add 10.0.0.10:80/tcp", false },
	{ "backend set 10.0.0.10:80/tcp 10.0.0.2", false },
	{ "backend set 10.0.0.10:80/tcp 10.0.0.2 weight 5", true },
	{ "backend drain 10.0.0.10:80/tcp 10.0.0.2 now", false },
	{ "source add 10.0.0.21", true },
	{ "source add 10.0.0.21 fd00::21 10.0.0.22", true },
	{ "source add", false },
	{ "source add 10.0.0.21:80", false },
	{ "source add 10.0.0.21 ::", false },
	{ "source del 10.0.0.21", true },
	{ "source del 10.0.0.21 10.0.0.22", false },
	{ "source show 10.0.0.21", false },
	{ "flow show", true },
	{ "flow show 10.0.0.10:80/tcp", true },
	{ "flow show 10.0.0.10:*/tcp 10.0.0.1", true },
	{ "flow show 10.0.0.10:80/tcp 10.0.0.1:4000 10.0.0.2:80", true },
	{ "flow show fd00::2", true },
	{ "flow show 10.0.0.1 10.0.0.2 10.0.0.3", false },
	{ "flow show 10.0.0.1 10.0.0.10:80/tcp", false },
	{ "flow flush", true },
	{ "flow flush 10.0.0.10:80/tcp", true },
	{ "flow flush 10.0.0.10:80/tcp 10.0.0.2", true },
	{ "flow flush 10.0.0.10:80/tcp 10.0.0.2 x", false },
	{ "flow", false },
	{ "timeout set tcp 900", true },
	{ "timeout set icmp 900", false },
	{ "timeout set tcp 0", false },
	{ "timeout set tcp", false },
	{ "stats", true },
	{ "stats zero", true },
	{ "stats interval 1", true },
	{ "stats 10.0.0.10:80/tcp interval 1", true },
	{ "stats 10.0.0.10:80/tcp 1", false },
	{ "stats interval", false },
	{ "where 10.0.0.10:80/tcp 10.0.0.1:4000", true },
	{ "where 10.0.0.10:*/tcp 10.0.0.1:4000", false },
	{ "where 10.0.0.10:80/tcp [fd00::1]:4000", false },
	{ "trace", true },
	{ "trace count 3", true },
	{ "trace 10.0.0.1", true },
	{ "trace 10.0.0.10:80/tcp 10.0.0.1:4000 count 3", true },
	{ "trace 10.0.0.1:4000 10.0.0.10:80/tcp", false },
	{ "limit set 10.0.0.10:80/tcp pps 1000", true },
	{ "limit set 10.0.0.10:80/tcp pps 1000 burst 5", true },
	{ "limit set 10.0.0.10:80/tcp flows 5", true },
	{ "limit set 10.0.0.10:80/tcp flows 5 per-source", true },
	{ "limit set 10.0.0.10:80/tcp conns 5", true },
	{ "limit set 10.0.0.10:80/tcp conns 0", false },
	{ "limit set 10.0.0.10:80/tcp pps 5 per-source", false },
	{ "limit set 10.0.0.10:80/tcp burst 5", false },
	{ "limit set 10.0.0.10:80/tcp", false },
	{ "limit set 10.0.0.10:80/tcp pps 0", false },
	{ "limit pmtu 1280", true },
	{ "limit pmtu 68", true },
	{ "limit pmtu 67", false },
	{ "limit pmtu 65536", false },
	{ "limit pmtu", false },
	{ "limit pmtu 1280 1280", false },
	{ "apply file", true },
	{ "apply - dry-run", true },
	{ "apply file other empty dry-run", true },
	{ "apply file dry-run other", false },
	{ "save now", true },
	{ "save now more", false },
	{ "help", true },
	{ "help service", true },
	{ "help service add", false },
	{ "help nonsense", false },
	{ "nonsense", false },
	{ "", false },
};

static void test_lines(void)
{
	for (unsigned int i = 0; i < WORD_COUNT(lines); i++) {
		struct request request = { 0 };
		const struct command *command;
		char line[200], *word[20];
		struct words words = { .word = word };

		snprintf(line, sizeof(line), "%s", lines[i].line);
		for (char *next = strtok(line, " "); next; next = strtok(NULL, " "))
			word[words.left++] = next;
		command = find_command(&words);
		check(lines[i].line,
		      (command && command->parse(&words, &request)) == lines[i].is_right,
		      lines[i].is_right ? "is refused" : "is taken");
	}
}

int main(void)
{
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	test_words("VIP", vips, WORD_COUNT(vips), vip_text);
	test_words("REAL", reals, WORD_COUNT(reals), real_text);
	test_words("CLIENT", clients, WORD_COUNT(clients), client_text);
	test_words("PREFIX", prefixes, WORD_COUNT(prefixes), prefix_text);
	test_words("MAC", macs, WORD_COUNT(macs), mac_text);
	test_words("weight", weights, WORD_COUNT(weights), weight_text);
	test_words("table", sizes, WORD_COUNT(sizes), size_text);
	test_lines();
	return failures != 0;
}
