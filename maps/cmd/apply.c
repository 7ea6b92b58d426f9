// SPDX-License-Identifier: GPL-2.0
/*
 * apply: a file of commands, read and checked as a whole into a configuration of its own, which
 * then takes the place of the running one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/apply.h"
#include "cmd/change.h"
#include "cmd/command.h"
#include "cmd/difference.h"
#include "lib/text.h"
#include "model/numbers.h"

#define MAX_WORDS 32 /* of a line */
#define BLANKS " \t\r\n"

bool parse_apply(struct words *words, struct request *request)
{
	request->file = next_word(words, "a file or -");
	if (!request->file)
		return false;
	if (words->left && !strcmp(*words->word, "dry-run")) {
		request->dry = true;
		next_word(words, "dry-run");
	}
	return no_more_words(words);
}

/*
 * Cuts the line into words, up to a `#` that begins one. Returns their number; MAX_WORDS: too many.
 */
static int split_line(char *line, char **word)
{
	int count = 0;
	char *rest;

	for (char *next = strtok_r(line, BLANKS, &rest); next && *next != '#' && count < MAX_WORDS;
	     next = strtok_r(NULL, BLANKS, &rest))
		word[count++] = next;
	return count;
}

/* Carries a line out on the file's configuration. */
static enum status read_line(char *line, size_t length, unsigned int number, struct conf *conf)
{
	struct request request = { .line = number };
	const struct command *command;
	char *word[MAX_WORDS];
	struct words words = { .word = word };

	if (memchr(line, '\0', length))
		return fail(WRONG, "the line has a zero byte");
	words.left = split_line(line, word);
	if (words.left == MAX_WORDS)
		return fail(WRONG, "'%.100s': too many words", word[MAX_WORDS - 1]);
	if (!words.left)
		return DONE;
	command = find_command(&words);
	if (!command)
		return WRONG;
	if (!(command->flags & IN_FILE))
		return fail(WRONG, "'%.*s' cannot be a line of a configuration",
			    (int)name_length(command), command->words);
	if (!command->parse(&words, &request))
		return WRONG;
	return command->change(conf, &request) ? WRONG : DONE;
}

static enum status check_denies(struct conf *conf, const char *name)
{
	conf_sort_denies(conf);
	for (unsigned int i = 1; i < conf->deny_count; i++) {
		if (compare_denies(&conf->denies[i - 1].key, &conf->denies[i].key))
			continue;
		set_error_place(name, conf->denies[i].line);
		return fail(WRONG, "%s is denied twice", text_of_prefix(&conf->denies[i].key).s);
	}
	return DONE;
}

static enum status read_lines(FILE *file, const char *name, struct conf *conf)
{
	enum status status = DONE;
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while (!status && (length = getline(&line, &size, file)) >= 0) {
		set_error_place(name, ++number);
		status = read_line(line, length, number, conf);
	}
	if (!status && ferror(file)) {
		set_error_place(NULL, 0);
		status = fail(FAILED, "'%.200s': %s", name, strerror(errno));
	}
	if (!status)
		status = check_denies(conf, name);
	set_error_place(NULL, 0);
	free(line);
	return status;
}

static enum status read_file(const char *name, struct conf *conf)
{
	bool is_stdin = !strcmp(name, "-");
	FILE *file = is_stdin ? stdin : fopen(name, "re");
	enum status status;

	conf_init(conf);
	conf->has_denies = true;
	if (!file)
		return fail(FAILED, "'%.200s': %s", name, strerror(errno));
	status = read_lines(file, is_stdin ? "standard input" : name, conf);
	if (!is_stdin)
		fclose(file);
	if (status)
		conf_free(conf);
	return status;
}

/* What the file does not say of a backend's next hop, it has as it runs. */
static void adopt_hop(struct conf_backend *wanted, const struct conf_backend *running)
{
	if (wanted->mac_given != running->mac_given)
		return;
	if (wanted->mac_given && memcmp(wanted->hop.mac, running->hop.mac, sizeof(wanted->hop.mac)))
		return;
	wanted->hop = running->hop;
	wanted->mtu = running->mtu;
	wanted->is_pending = !is_resolved(&wanted->hop);
}

static void adopt_hops(struct conf_service *wanted, const struct conf_service *running)
{
	for (unsigned int i = 0; i < wanted->count; i++) {
		struct conf_backend *backend = &wanted->backends[i];
		const struct conf_backend *before = backend_find(running, &backend->real);

		if (before)
			adopt_hop(backend, before);
	}
}

/* Replaces the copy of what runs by the file's configuration. */
static enum status replace(struct conf *conf, const struct request *request)
{
	struct conf running = *conf;

	if (!conf_copy(conf, request->conf)) {
		*conf = running;
		return fail(FAILED, "out of memory");
	}
	adopt_numbers(conf, &running);
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *before = conf_find(&running, &conf->services[i].vip);

		if (before)
			adopt_hops(&conf->services[i], before);
	}
	conf_free(&running);
	return DONE;
}

enum status apply_file(const struct request *request)
{
	struct request with_file = *request;
	struct change change = {
		.change = replace,
		.request = &with_file,
		.with_denies = true,
		.is_lenient = true,
		.dry = request->dry,
		.file = strcmp(request->file, "-") ? request->file : "standard input",
		.report = report_difference,
	};
	struct conf conf;
	enum status status = read_file(request->file, &conf);

	if (status)
		return status;
	with_file.conf = &conf;
	status = run_change(&change);
	conf_free(&conf);
	return status;
}
