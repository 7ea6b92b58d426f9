// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "lib/error.h"

#define MAX_LINE 1000 /* characters of a message; what is longer is cut */

static const char *place_file;
static unsigned int place_line;

static char *held_line;
static size_t held_size;

void hold_warnings(char *line, size_t size)
{
	held_line = line;
	held_size = size;
}

void set_error_place(const char *file, unsigned int line)
{
	place_file = file;
	place_line = line;
}

/* Appends `text` to `line` with what is not printable ASCII escaped. Returns the new length. */
static size_t append_safely(char *line, size_t length, const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c <= '~')
			line[length++] = c;
		else
			length += sprintf(line + length, "\\x%02x", c);
	}
	return length;
}

/* One write, so that the lines of several helpers do not mix. */
void warn(const char *format, ...)
{
	char place[MAX_LINE] = "", text[MAX_LINE];
	char line[sizeof("xdp-lb: ") + 8 * MAX_LINE];
	va_list arguments;
	size_t length;

	if (place_line)
		snprintf(place, sizeof(place), "%.200s:%u: ", place_file, place_line);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (held_line) {
		snprintf(held_line, held_size, "%s", text);
		return;
	}
	length = append_safely(line, 0, "xdp-lb: ");
	length = append_safely(line, length, place);
	length = append_safely(line, length, text);
	line[length++] = '\n';
	fwrite(line, 1, length, stderr);
}
