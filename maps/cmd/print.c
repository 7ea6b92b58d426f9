// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "cmd/options.h"
#include "cmd/print.h"
#include "lib/text.h"

#define MAX_DEPTH 8

static char closing[MAX_DEPTH];
static int depth;
static bool is_first = true;
static const char *next_name; /* of a value that is given none */

static void write_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			putchar('\\');
		if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void print_name(const char *name)
{
	next_name = name;
}

static void begin_value(const char *name)
{
	if (!is_first)
		putchar(',');
	is_first = false;
	if (!name)
		name = next_name;
	next_name = NULL;
	if (!name)
		return;
	write_quoted(name);
	putchar(':');
}

static void open_level(const char *name, char open, char close)
{
	if (!options.json)
		return;
	begin_value(name);
	putchar(open);
	if (depth < MAX_DEPTH)
		closing[depth] = close;
	depth++;
	is_first = true;
}

void open_object(const char *name)
{
	open_level(name, '{', '}');
}

void open_array(const char *name)
{
	open_level(name, '[', ']');
}

void close_level(void)
{
	if (!options.json)
		return;
	depth--;
	putchar(closing[depth]);
	is_first = !depth;
	if (!depth)
		putchar('\n');
}

void print_string(const char *name, const char *format, const char *value)
{
	if (options.json) {
		begin_value(name);
		write_quoted(value);
	} else if (format) {
		printf(format, value);
	}
}

void print_number(const char *name, const char *format, __u64 value)
{
	if (options.json)
		begin_value(name);
	if (options.json || format)
		printf(options.json ? "%llu" : format, value);
}

void print_seconds(const char *name, const char *format, __u32 milliseconds)
{
	if (options.json)
		begin_value(name);
	if (options.json || format)
		printf(options.json ? "%s" : format, text_of_seconds(milliseconds).s);
}

void print_decimal(const char *name, const char *format, double value)
{
	if (options.json)
		begin_value(name);
	if (options.json || format)
		printf(options.json ? "%.1f" : format, value);
}

/* What is a word of JSON, or else a text. */
static void print_word(const char *name, const char *word, const char *text)
{
	if (options.json)
		begin_value(name);
	fputs(options.json ? word : text, stdout);
}

void print_bool(const char *name, const char *text, bool value)
{
	print_word(name, value ? "true" : "false", value ? text : "");
}

void print_null(const char *name, const char *text)
{
	print_word(name, "null", text);
}

void print_json(const char *text)
{
	if (!options.json)
		return;
	begin_value(NULL);
	fputs(text, stdout);
}

void print_endpoint(const struct endpoint *endpoint)
{
	print_string("address", NULL, text_of_address(&endpoint->address).s);
	print_number("port", NULL, ntohs(endpoint->port));
}

void print_text(const char *format, ...)
{
	va_list arguments;

	if (options.json)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}
