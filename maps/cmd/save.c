// SPDX-License-Identifier: GPL-2.0
/* save: to standard output, or to a file, which is replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/config_line.h"
#include "cmd/difference.h"
#include "cmd/options.h"
#include "cmd/save.h"
#include "cmd/timeout.h"

bool parse_save(struct words *words, struct request *request)
{
	if (words->left)
		request->file = next_word(words, "a file");
	return no_more_words(words);
}

static void print_config(const struct configuration *config)
{
	options.json = false; /* lines all the same */
	printf(SAVE_FIRST_LINE "\n");
	for (unsigned int i = 0; i < TIMEOUTS; i++)
		printf("%s\n", line_of_timeout(timeout_names[i], timeout_of(config, i)).s);
	if (config->pmtu != DEFAULT_PMTU)
		printf("%s\n", line_of_pmtu(config->pmtu).s);
	for_each_source(source, config) {
		if (is_source_up(source))
			printf("%s\n", line_of_source("add", source).s);
	}
	for_each_service(service, config) {
		printf("\n");
		say_new_service(service);
	}
	if (config->deny_count)
		printf("\n");
	for (unsigned int i = 0; i < config->deny_count; i++)
		printf("%s\n", line_of_deny("add", &config->denies[i].key).s);
	printf("\n" SAVE_LAST_LINE "\n");
}

/* The file that is written, and what it is to take the place of. */
struct draft {
	char target[PATH_MAX]; /* without symbolic links, which stay */
	char path[PATH_MAX + 16];
	int fd;
};

/* Gives the draft mode and owner of the file that is there, or those of a new file. */
static bool equip_draft(const struct draft *draft)
{
	struct stat status;
	mode_t mask = umask(0);

	umask(mask);
	if (stat(draft->target, &status))
		return !fchmod(draft->fd, 0666 & ~mask);
	return !fchown(draft->fd, status.st_uid, status.st_gid) &&
	       !fchmod(draft->fd, status.st_mode & 07777);
}

static enum status open_draft(struct draft *draft, const char *file)
{
	struct stat status;

	if (!stat(file, &status) && !S_ISREG(status.st_mode))
		return fail(FAILED, "'%.200s': not a regular file", file);
	if (!realpath(file, draft->target))
		snprintf(draft->target, sizeof(draft->target), "%s", file);
	snprintf(draft->path, sizeof(draft->path), "%s.%d", draft->target, getpid());
	draft->fd = open(draft->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (draft->fd < 0)
		return fail(FAILED, "'%.200s': %s", file, strerror(errno));
	return DONE;
}

/* Standard output becomes the draft. */
static bool write_draft(const struct draft *draft, const struct configuration *config)
{
	if (!equip_draft(draft) || dup2(draft->fd, STDOUT_FILENO) < 0)
		return false;
	print_config(config);
	return !fflush(stdout) && !ferror(stdout) && !fsync(draft->fd) &&
	       !rename(draft->path, draft->target);
}

enum status save_config(struct view *view, const struct request *request)
{
	struct draft draft;
	enum status status;

	if (!request->file || !strcmp(request->file, "-")) {
		print_config(&view->config);
		return DONE;
	}
	status = open_draft(&draft, request->file);
	if (status)
		return status;
	if (!write_draft(&draft, &view->config)) {
		status = fail(FAILED, "'%.200s': %s", request->file, strerror(errno));
		unlink(draft.path);
	}
	close(draft.fd);
	return status;
}
