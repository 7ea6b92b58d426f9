// SPDX-License-Identifier: GPL-2.0
/*
 * The helper's parsers under libFuzzer: words, commands and configuration files. Whatever comes in,
 * what is refused is refused with one line, what is taken says nothing, and a value that was read
 * can be printed and read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file's lines are read by what is static there. */
#include "maps/cmd/apply.c"

#define MAX_COMMAND_WORDS 64
#define MAX_INPUT 4096

int LLVMFuzzerTestOneInput(const __u8 *bytes, size_t size);

/* What was said on standard error meanwhile. */
static struct {
	char *text;
	size_t length;
	FILE *stream, *usual;
} said;

static void begin_listening(void)
{
	said.usual = stderr;
	said.stream = open_memstream(&said.text, &said.length);
	if (!said.stream)
		abort();
	stderr = said.stream;
}

static void broken(const char *what)
{
	printf("FAIL %s: %s\n", what, said.text);
	fflush(stdout);
	abort();
}

/* One line of printable characters if it was refused, else none. */
static void end_listening(bool taken)
{
	fclose(said.stream);
	stderr = said.usual;
	if (taken ? said.length : !said.length)
		broken(taken ? "taken, but with words" : "refused without a word");
	if (!taken && (strncmp(said.text, "xdp-lb: ", 8) ||
		       strchr(said.text, '\n') != said.text + said.length - 1))
		broken("not one line");
	for (size_t i = 0; i + 1 < said.length; i++)
		if (said.text[i] < ' ' || said.text[i] > '~')
			broken("not printable");
	free(said.text);
}

/* Words: each parser, and its value printed and read again. */

static void again(const char *word, const char *printed, bool same)
{
	if (same)
		return;
	printf("FAIL '%s' was read, but its '%s' is another\n", word, printed);
	fflush(stdout);
	abort();
}

typedef bool (*endpoint_parser)(const char *word, struct endpoint *endpoint);

static void try_endpoint(const char *word, endpoint_parser parse,
			 struct text (*print)(const struct endpoint *))
{
	struct endpoint first = {}, second = {};
	bool taken;

	begin_listening();
	taken = parse(word, &first);
	end_listening(taken);
	if (taken)
		again(word, print(&first).s,
		      parse(print(&first).s, &second) &&
			      same_address(&first.address, &second.address) &&
			      first.port == second.port && first.protocol == second.protocol);
}

static void try_prefix(const char *word)
{
	struct deny_key first = {}, second = {};
	bool taken;

	begin_listening();
	taken = parse_prefix(word, &first);
	end_listening(taken);
	if (taken)
		again(word, text_of_prefix(&first).s,
		      parse_prefix(text_of_prefix(&first).s, &second) &&
			      !memcmp(&first, &second, sizeof(first)));
}

static void try_mac(const char *word)
{
	__u8 first[6], second[6];
	bool taken;

	begin_listening();
	taken = parse_mac(word, first);
	end_listening(taken);
	if (taken)
		again(word, text_of_mac(first).s,
		      parse_mac(text_of_mac(first).s, second) && !memcmp(first, second, 6));
}

static void try_value(const char *word, parser parse)
{
	__u32 value;
	bool taken;

	begin_listening();
	taken = parse(word, &value);
	end_listening(taken);
}

static void try_word(int which, const char *word)
{
	static const parser parsers[] = { parse_weight,	 parse_mode, parse_hash, parse_slots,
					  parse_seconds, parse_rate, parse_count };

	switch (which % 12) {
	case 0:
		try_endpoint(word, parse_vip, text_of_vip);
		break;
	case 1:
		try_endpoint(word, parse_real, text_of_real);
		break;
	case 2:
		try_endpoint(word, parse_client, text_of_socket);
		break;
	case 3:
		try_prefix(word);
		break;
	case 4:
		try_mac(word);
		break;
	default:
		try_value(word, parsers[which % 12 - 5]);
	}
}

/* Commands: what their parsers take, not what they do. */

static void try_command(char *line)
{
	char *word[MAX_COMMAND_WORDS];
	struct words words = { .word = word };
	struct request request = {};
	const struct command *command;
	char *rest = line;

	while (rest && words.left < MAX_COMMAND_WORDS)
		word[words.left++] = strsep(&rest, " ");
	begin_listening();
	command = find_command(&words);
	end_listening(command && command->parse(&words, &request));
}

/* Files */

static void try_file(char *text, size_t length)
{
	struct file file = { .stream = fmemopen(text, length, "r"), .name = "file" };
	struct configuration config;
	enum status status;

	if (!file.stream)
		return;
	begin_listening();
	config_init(&config);
	config.has_denies = true;
	status = read_lines(&file, &config);
	end_listening(!status);
	config_free(&config);
	fclose(file.stream);
}

/* The first byte says what the rest is. */
int LLVMFuzzerTestOneInput(const __u8 *bytes, size_t size)
{
	static char text[MAX_INPUT + 1];
	int which;

	if (!size)
		return 0;
	which = *bytes++;
	size = size - 1 < MAX_INPUT ? size - 1 : MAX_INPUT;
	memcpy(text, bytes, size);
	text[size] = 0;
	if (which < 128)
		try_word(which, text);
	else if (which < 192)
		try_command(text);
	else
		try_file(text, size);
	return 0;
}
