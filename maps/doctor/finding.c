// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "cmd/json.h"
#include "cmd/options.h"
#include "doctor/finding.h"

/* Names come from others: what is not printable does not reach the terminal. */
static void print_safely(const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c <= '~')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
}

void report(struct patient *patient, const char *check, const struct shell *command,
	    const char *cause, const char *format, ...)
{
	char problem[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	patient->findings++;
	if (options.json) {
		json_object(NULL);
		json_string("check", check);
		json_string("problem", problem);
		json_string("cause", cause);
		json_string("command", command->s);
		json_end();
		return;
	}
	printf("%s: ", check);
	print_safely(problem);
	printf(": %s; mend: ", cause);
	print_safely(command->s);
	putchar('\n');
}
