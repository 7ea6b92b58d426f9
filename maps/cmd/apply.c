// SPDX-License-Identifier: GPL-2.0
/*
 * apply: files of commands, read and checked as a whole into a configuration of its own, which then
 * takes the place of the running one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/apply.h"
#include "cmd/change.h"
#include "cmd/command.h"
#include "cmd/difference.h"
#include "cmd/save.h"
#include "lib/text.h"
#include "model/numbers.h"

#define MAX_WORDS 32 /* of a line */
#define MAX_LINE 4096
/* Of a file: many times what a full balancer saves. */
#define MAX_BYTES (256ULL * (MAX_SERVICES + MAX_BACKENDS + MAX_DENIED))
#define BLANKS " \t\r\n"

static bool is_flag(const char *word)
{
	return !strcmp(word, "empty") || !strcmp(word, "dry-run");
}

/* Standard input can be read once. */
static bool has_stdin(const struct request *request)
{
	for (unsigned int i = 0; i < request->list_count; i++) {
		if (!strcmp(request->list[i], "-"))
			return true;
	}
	return false;
}

static bool take_files(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a file or -");

	if (!word)
		return false;
	if (is_flag(word)) {
		fail(WRONG, "'%s': expected a file or - (a file of that name is ./%s)", word, word);
		return false;
	}
	request->list = words->word - 1;
	request->list_count = 1;
	for (; words->left && !is_flag(*words->word); request->list_count++) {
		word = next_word(words, "a file");
		if (!strcmp(word, "-") && has_stdin(request)) {
			fail(WRONG, "'-': expected standard input once");
			return false;
		}
	}
	return true;
}

bool parse_apply(struct words *words, struct request *request)
{
	if (!take_files(words, request))
		return false;
	while (take_flag(words, "dry-run", &request->dry) ||
	       take_flag(words, "empty", &request->may_be_empty))
		;
	return no_more_words(words);
}

/* A file that is read. */
struct file {
	FILE *stream;
	const char *name;
	struct file_line said_at; /* of the line that was read */
	unsigned long long bytes; /* that were read */
	bool ends_early; /* its last line was announced, and has not come */
	char line[MAX_LINE];
};

/* Reads a line. What has no end, as /dev/zero, is an error. Sets *length to -1 at the end. */
static enum status next_line(struct file *file, ssize_t *length)
{
	int c = 0;

	*length = 0;
	while (c != '\n' && (c = getc_unlocked(file->stream)) != EOF) {
		if (*length == MAX_LINE - 1)
			return fail(WRONG, "the line is longer than %d characters", MAX_LINE - 1);
		if (++file->bytes > MAX_BYTES)
			return fail(WRONG, "the file is longer than any configuration");
		file->line[(*length)++] = c;
	}
	file->line[*length] = '\0';
	if (c == EOF && !*length)
		*length = -1;
	return DONE;
}

/* Whether the line is this one, whatever blanks it ends with. */
static bool is_line(const struct file *file, const char *text)
{
	size_t length = strlen(text);

	return !strncmp(file->line, text, length) &&
	       !file->line[length + strspn(file->line + length, BLANKS)];
}

/* What `save` has printed has its last line, or was cut short. */
static void note_end(struct file *file)
{
	if (is_line(file, SAVE_FIRST_LINE))
		file->ends_early = true;
	else if (is_line(file, SAVE_LAST_LINE))
		file->ends_early = false;
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
static enum status do_line(struct file *file, size_t length, struct configuration *config)
{
	struct request request = { .said_at = file->said_at };
	const struct command *command;
	char *word[MAX_WORDS];
	struct words words = { .word = word };

	if (memchr(file->line, '\0', length))
		return fail(WRONG, "the line has a zero byte");
	note_end(file);
	words.left = split_line(file->line, word);
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
	return command->change(config, &request) ? WRONG : DONE;
}

static enum status check_denies(struct configuration *config, char **files)
{
	config_sort_denies(config);
	for (unsigned int i = 1; i < config->deny_count; i++) {
		const struct config_deny *deny = &config->denies[i];

		if (compare_denies(&config->denies[i - 1].key, &deny->key))
			continue;
		set_error_place(name_of_file(files[deny->said_at.file]), deny->said_at.line);
		return fail(WRONG, "%s is denied twice", text_of_prefix(&deny->key).s);
	}
	return DONE;
}

static enum status check_end(const struct file *file)
{
	if (ferror(file->stream)) {
		set_error_place(NULL, 0);
		return fail(FAILED, "'%.200s': %s", file->name, strerror(errno));
	}
	if (file->ends_early)
		return fail(WRONG, "the file was cut short: its last line is not \"%s\"",
			    SAVE_LAST_LINE);
	return DONE;
}

static enum status read_lines(struct file *file, struct configuration *config)
{
	enum status status;
	ssize_t length;

	do {
		set_error_place(file->name, ++file->said_at.line);
		status = next_line(file, &length);
		if (!status && length >= 0)
			status = do_line(file, length, config);
	} while (!status && length >= 0);
	return status ? status : check_end(file);
}

static enum status read_file(const char *name, unsigned int number, struct configuration *config)
{
	struct file file = {
		.stream = strcmp(name, "-") ? fopen(name, "re") : stdin,
		.name = name_of_file(name),
	};
	enum status status;

	file.said_at.file = number;
	if (!file.stream)
		return fail(FAILED, "'%.200s': %s", name, strerror(errno));
	status = read_lines(&file, config);
	set_error_place(NULL, 0);
	if (file.stream != stdin)
		fclose(file.stream);
	return status;
}

/* All files are one configuration: a line may use what an earlier one of any file has made. */
static enum status read_files(const struct request *request, struct configuration *config)
{
	enum status status = DONE;

	config_init(config);
	config->has_denies = true;
	for (unsigned int i = 0; !status && i < request->list_count; i++)
		status = read_file(request->list[i], i, config);
	if (!status)
		status = check_denies(config, request->list);
	set_error_place(NULL, 0);
	if (status)
		config_free(config);
	return status;
}

/* What the file does not say of a backend's next hop, it has as it runs. */
static void adopt_hop(struct config_backend *wanted, const struct config_backend *running)
{
	if (wanted->mac_given != running->mac_given)
		return;
	if (wanted->mac_given && memcmp(wanted->hop.mac, running->hop.mac, sizeof(wanted->hop.mac)))
		return;
	wanted->hop = running->hop;
	wanted->mtu = running->mtu;
	wanted->is_pending = !is_resolved(&wanted->hop);
}

static void adopt_hops(struct config_service *wanted, const struct config_service *running)
{
	for_each_backend(backend, wanted) {
		const struct config_backend *before = backend_find(running, &backend->real);

		if (before)
			adopt_hop(backend, before);
	}
	if (same_address(&wanted->via.real.address, &running->via.real.address))
		adopt_hop(&wanted->via, &running->via);
}

/* Health is not configuration: it stays, but for that of a check which the file has no more. */
static void adopt_health(struct config_service *wanted, const struct config_service *running)
{
	for_each_backend(backend, wanted) {
		const struct config_backend *before = backend_find(running, &backend->real);

		if (before)
			backend->health = before->health;
	}
	if (running->check.type && !wanted->check.type)
		forget_check(wanted);
}

/* Files without services are more likely no configuration at all. */
static enum status check_empty(const struct configuration *running, const struct request *request)
{
	const char *name = request->list[0];
	const char *quote = strcmp(name, "-") ? "'" : "";

	if (request->config->count || !running->count || request->may_be_empty)
		return DONE;
	if (request->list_count > 1)
		return fail(FAILED,
			    "none of %u files has a service, and %u run: nothing was changed "
			    "(to delete them: apply FILE... empty)",
			    request->list_count, running->count);
	return fail(FAILED,
		    "%s%.200s%s has no service, and %u run: nothing was changed "
		    "(to delete them: apply %.200s empty)",
		    quote, name_of_file(name), quote, running->count, name);
}

/* Sources that the files do not have drain, if they have flows. */
static bool keep_sources(struct configuration *config, const struct configuration *running)
{
	for_each_source(source, running) {
		const struct address *address = &source->self.address;
		struct config_source *kept;

		if (source_find(config, address))
			continue;
		kept = source_insert(config, address);
		if (!kept)
			return false;
		kept->state = STATE_DRAINING;
	}
	return true;
}

/* Replaces the copy of what runs by the files' configuration. */
static enum status replace(struct configuration *config, const struct request *request)
{
	struct configuration running = *config;
	enum status status = check_empty(config, request);

	if (status)
		return status;
	if (!config_copy(config, request->config)) {
		*config = running;
		return fail(FAILED, "out of memory");
	}
	if (!keep_sources(config, &running)) {
		config_free(&running);
		return fail(FAILED, "out of memory");
	}
	adopt_numbers(config, &running);
	for_each_service(service, config) {
		const struct config_service *before = config_find(&running, &service->vip);

		if (before)
			adopt_health(service, before);
		/* What one mode can reach, another may not. */
		if (before && before->mode == service->mode)
			adopt_hops(service, before);
	}
	config_free(&running);
	return DONE;
}

enum status apply_files(const struct request *request)
{
	struct request with_file = *request;
	struct change change = {
		.change = replace,
		.request = &with_file,
		.with_denies = true,
		.is_lenient = true,
		.dry = request->dry,
		.files = request->list,
		.report = report_difference,
	};
	struct configuration config;
	enum status status = read_files(request, &config);

	if (status)
		return status;
	with_file.config = &config;
	status = run_change(&change);
	config_free(&config);
	return status;
}
