// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "cmd/print.h"
#include "doctor/finding.h"
#include "lib/text.h"

/* As text: names come from others, so what is not printable does not reach the terminal. */
static const char *printable(const char *text)
{
	static char safe[4 * 400];
	char *to = safe;

	for (; *text && to < safe + sizeof(safe) - sizeof("\\x00"); text++) {
		unsigned char c = *text;

		to += sprintf(to, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
	}
	*to = '\0';
	return safe;
}

static const char *const certainty_names[] = {
	[CERTAIN] = "certain",
	[LIKELY] = "likely",
	[POSSIBLE] = "possible",
};

static const char *const purpose_names[] = {
	[MENDS] = "mend",
	[MENDS_AT_REST] = "mend at a quiet time",
	[SHOWS] = "look",
};

void report(struct exam *exam, const char *check, enum certainty certainty,
	    const struct command_line *command, const char *cause, const char *format, ...)
{
	struct text host = text_of_address(&command->host);
	char problem[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	exam->findings++;
	open_object(NULL);
	print_string("check", "%s: ", check);
	print_string("problem", NULL, problem);
	print_text("%s: ", printable(problem));
	print_string("cause", "%s; ", cause);
	print_string("certainty", "%s; ", certainty_names[certainty]);
	print_string("purpose", "%s", purpose_names[command->purpose]);
	if (is_zero_address(&command->host))
		print_null("host", "");
	else
		print_string("host", " on %s", host.s);
	print_string("command", NULL, command->s);
	print_text(": %s\n", printable(command->s));
	close_level();
}
