// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* program_invocation_name */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "doctor/command_line.h"

struct command_line quoted(const char *word)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789@%+=:,./_-";
	struct command_line line = { .s = "" };
	size_t length = 0;

	if (*word && word[strspn(word, harmless)] == '\0') {
		snprintf(line.s, sizeof(line.s), "%s", word);
		return line;
	}
	line.s[length++] = '\'';
	for (; *word && length < sizeof(line.s) - 6; word++) {
		if (*word == '\'')
			length += sprintf(line.s + length, "'\\''");
		else
			line.s[length++] = *word;
	}
	line.s[length++] = '\'';
	line.s[length] = '\0';
	return line;
}

static void append_arguments(struct command_line *line, const char *format, va_list arguments)
{
	size_t length = strlen(line->s);

	vsnprintf(line->s + length, sizeof(line->s) - length, format, arguments);
}

void append(struct command_line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_arguments(line, format, arguments);
	va_end(arguments);
}

struct command_line run_in(const struct netns *netns, const char *format, ...)
{
	struct command_line line = { .s = "" };
	va_list arguments;

	if (*netns->name)
		append(&line, "nsenter --net=%s%s ", strchr(netns->name, '/') ? "" : "/run/netns/",
		       quoted(netns->name).s);
	va_start(arguments, format);
	append_arguments(&line, format, arguments);
	va_end(arguments);
	return line;
}

struct command_line run_on(const struct address *host, const char *format, ...)
{
	struct command_line line = { .host = *host };
	va_list arguments;

	va_start(arguments, format);
	append_arguments(&line, format, arguments);
	va_end(arguments);
	return line;
}

struct command_line with_purpose(struct command_line line, enum purpose purpose)
{
	line.purpose = purpose;
	return line;
}

struct command_line both(struct command_line first, struct command_line second)
{
	append(&first, " && %s", second.s);
	return first;
}

struct command_line path_of(const char *file)
{
	static const char *const directories[] = { ".", "scripts", "../lib/xdp-lb" };
	char program[PATH_MAX] = "", path[2 * PATH_MAX], resolved[PATH_MAX];

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return quoted(file);
	dirname(program);
	for (unsigned int i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", program, directories[i], file);
		if (realpath(path, resolved))
			return quoted(resolved);
	}
	return quoted(file);
}

struct command_line helper(const char *device, const char *format, ...)
{
	const char *netns = options.selection.netns;
	struct command_line line = { .s = "" };
	va_list arguments;

	append(&line, "%s %s%s%s-d %s ", quoted(program_invocation_name).s, netns ? "-n " : "",
	       netns ? quoted(netns).s : "", netns ? " " : "", quoted(device).s);
	va_start(arguments, format);
	append_arguments(&line, format, arguments);
	va_end(arguments);
	return line;
}
