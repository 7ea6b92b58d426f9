// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "watch/drain.h"
#include "watch/watch.h"

#define LOOK_NS 100000000L /* how often the file is read */
#define PATIENCE 50 /* looks until somebody should have taken notice */
#define LINE_SIZE 100

static bool take_directory(const char *word, void *value)
{
	*(const char **)value = word;
	return true;
}

static bool parse_drain_seconds(const char *word, void *value)
{
	return parse_number(word, 1, 86400, value);
}

bool parse_watch_drain(struct words *words, struct request *request)
{
	struct option known[] = {
		{ "within", parse_drain_seconds, &request->seconds, false },
		{ "-o", take_directory, &request->directory, false },
	};

	request->directory = DEFAULT_DIRECTORY;
	return parse_options(words, known, sizeof(known) / sizeof(*known));
}

bool parse_watch_up(struct words *words, struct request *request)
{
	struct option known = { "-o", take_directory, &request->directory, false };

	request->directory = DEFAULT_DIRECTORY;
	return parse_options(words, &known, 1);
}

/* Another file by a rename: `watch announce` never sees half of it. */
static int write_mark(const struct request *request, const char *path)
{
	char fresh[PATH_MAX];
	FILE *file;

	if (mkdir(request->directory, 0755) && errno != EEXIST)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	fprintf(file, "%s %u\n", DRAIN_WITHIN, request->seconds);
	if (fclose(file) || rename(fresh, path))
		return -errno;
	return 0;
}

static bool read_line(const char *path, char line[LINE_SIZE])
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(line, LINE_SIZE, file);

	if (file)
		fclose(file);
	return is_read;
}

static bool begins_with(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

/* Prints how far it is, until it is done. */
static enum status follow_progress(const char *path)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	char line[LINE_SIZE] = "", last[LINE_SIZE] = "";

	for (unsigned int looks = 0;; looks++) {
		nanosleep(&pause, NULL);
		if (access(path, F_OK))
			return fail(FAILED, "the drain was ended by 'watch up'");
		if (!read_line(path, line)) /* just being written */
			continue;
		if (begins_with(line, DRAIN_WITHIN)) {
			if (looks < PATIENCE)
				continue;
			return fail(FAILED,
				    "'%s': no 'watch announce' has taken notice, the next "
				    "one will",
				    path);
		}
		if (strcmp(line, last)) {
			fputs(line, stdout);
			fflush(stdout);
			memcpy(last, line, sizeof(last));
		}
		if (begins_with(line, DRAIN_EMPTY))
			return DONE;
	}
}

static void name_mark(const struct request *request, char path[PATH_MAX - 10])
{
	snprintf(path, PATH_MAX - 10, "%s/" DRAIN_FILE, request->directory);
}

enum status run_watch_drain(const struct request *request)
{
	char path[PATH_MAX - 10];
	int result;

	name_mark(request, path);
	result = write_mark(request, path);
	if (result)
		return fail(FAILED, "'%s': %s", path, strerror(-result));
	return follow_progress(path);
}

enum status run_watch_up(const struct request *request)
{
	char path[PATH_MAX - 10];

	name_mark(request, path);
	if (!unlink(path))
		return DONE;
	return errno == ENOENT ? fail(FAILED, "'%s': it is not drained", path) :
				 fail(FAILED, "'%s': %s", path, strerror(errno));
}
