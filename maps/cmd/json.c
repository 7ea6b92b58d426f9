// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "cmd/json.h"

#define MAX_DEPTH 8

static char closing[MAX_DEPTH];
static int depth;
static bool is_first = true;

static void write_text(const char *text)
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

static void begin_value(const char *name)
{
	if (!is_first)
		putchar(',');
	is_first = false;
	if (!name)
		return;
	write_text(name);
	putchar(':');
}

static void open_level(const char *name, char open, char close)
{
	begin_value(name);
	putchar(open);
	if (depth < MAX_DEPTH)
		closing[depth] = close;
	depth++;
	is_first = true;
}

void json_object(const char *name)
{
	open_level(name, '{', '}');
}

void json_array(const char *name)
{
	open_level(name, '[', ']');
}

void json_end(void)
{
	depth--;
	putchar(closing[depth]);
	is_first = false;
	if (depth)
		return;
	putchar('\n');
	is_first = true;
}

void json_string(const char *name, const char *value)
{
	begin_value(name);
	write_text(value);
}

void json_number(const char *name, __u64 value)
{
	begin_value(name);
	printf("%llu", value);
}

void json_decimal(const char *name, double value)
{
	begin_value(name);
	printf("%.1f", value);
}

void json_bool(const char *name, bool value)
{
	begin_value(name);
	fputs(value ? "true" : "false", stdout);
}

void json_null(const char *name)
{
	begin_value(name);
	fputs("null", stdout);
}
