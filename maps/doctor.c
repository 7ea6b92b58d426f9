// SPDX-License-Identifier: GPL-2.0
/*
 * doctor: what would keep the balancer from working on a device. Each finding is a line: what is
 * wrong, why that matters, and the command that mends it. Nothing is changed.
 */
#define _GNU_SOURCE /* program_invocation_name */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "json.h"

#define WATCH_MS 1000 /* how long counters are watched */

struct shell quoted(const char *word)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789@%+=:,./_-";
	struct shell line = { "" };
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

static void append_arguments(struct shell *line, const char *format, va_list arguments)
{
	size_t length = strlen(line->s);

	vsnprintf(line->s + length, sizeof(line->s) - length, format, arguments);
}

static void append(struct shell *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct shell *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_arguments(line, format, arguments);
	va_end(arguments);
}

struct shell run_in(const struct netns *netns, const char *format, ...)
{
	struct shell line = { "" };
	va_list arguments;

	if (*netns->name)
		append(&line, "nsenter --net=%s%s ", strchr(netns->name, '/') ? "" : "/run/netns/",
		       quoted(netns->name).s);
	va_start(arguments, format);
	append_arguments(&line, format, arguments);
	va_end(arguments);
	return line;
}

struct shell both(struct shell first, struct shell second)
{
	append(&first, " && %s", second.s);
	return first;
}

struct shell path_of(const char *file)
{
	static const char *const places[] = { ".", "scripts", "../lib/xdp-lb" };
	char program[PATH_MAX] = "", path[2 * PATH_MAX], resolved[PATH_MAX];

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return quoted(file);
	dirname(program);
	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", program, places[i], file);
		if (realpath(path, resolved))
			return quoted(resolved);
	}
	return quoted(file);
}

struct shell helper(const struct patient *patient, const char *format, ...)
{
	const char *netns = options.selection.netns;
	struct shell line = { "" };
	va_list arguments;

	append(&line, "%s %s%s%s-d %s ", quoted(program_invocation_name).s, netns ? "-n " : "",
	       netns ? quoted(netns).s : "", netns ? " " : "", quoted(patient->port.device.name).s);
	va_start(arguments, format);
	append_arguments(&line, format, arguments);
	va_end(arguments);
	return line;
}

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

bool parse_doctor(struct words *words, struct request *request)
{
	const char *device = next_word(words, "a device");

	if (!device)
		return false;
	request->device = device;
	if (*device && strlen(device) < IF_NAMESIZE && !strchr(device, '/'))
		return no_more_words(words);
	fail(WRONG, "'%.100s': the name of a device expected", device);
	return false;
}

static void wait_since(const struct timespec *start)
{
	struct timespec end = *start;

	end.tv_sec += WATCH_MS / 1000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

/* What can be told only of a device that the balancer is attached to. */
static enum status check_balancer(struct patient *patient)
{
	struct timespec start;
	struct balancer balancer;
	enum status status;
	struct watch watch;
	struct conf conf;

	options.selection.device = patient->port.device.name;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	clock_gettime(CLOCK_MONOTONIC, &start);
	begin_watch(patient, &balancer, &watch);
	check_pins(patient, &balancer);
	check_device(patient);
	check_vips(patient, &balancer, &conf);
	check_backends(patient, &balancer, &conf);
	wait_since(&start);
	end_watch(patient, &balancer, &watch);
	close_and_free(&balancer, &conf);
	return DONE;
}

static enum status examine(struct patient *patient)
{
	check_ip(patient);
	check_bpffs(patient);
	check_program(patient);
	if (patient->is_ours)
		return check_balancer(patient);
	check_device(patient);
	return DONE;
}

enum status run_doctor(const struct request *request)
{
	struct patient patient = { .netlink = -1, .port.ethtool = -1, .port.netns.fd = -1 };
	enum status status;

	options.selection.device = request->device;
	status = examine_device(&patient);
	if (!status) {
		if (options.json)
			json_array(NULL);
		status = examine(&patient);
		if (options.json)
			json_end();
	}
	if (patient.has_peer)
		close_port(&patient.peer);
	close_port(&patient.port);
	if (patient.netlink >= 0)
		close(patient.netlink);
	free(patient.devices);
	return status ? status : patient.findings ? FAILED : DONE;
}
