// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch/replace_file.h"

#define DRAFT ".new" /* may be left by a kill; the next one is written over it */

/* All that is printed, to be freed; NULL: there is no memory. */
static char *capture(void (*print)(void), size_t *size)
{
	FILE *terminal = stdout, *memory;
	char *text = NULL;
	int failed;

	memory = open_memstream(&text, size);
	if (!memory)
		return NULL;
	stdout = memory; /* glibc's and musl's printf() go by it */
	print();
	stdout = terminal;
	failed = ferror(memory);
	if (!fclose(memory) && !failed)
		return text;
	free(text);
	return NULL;
}

static int write_file(const char *path, const char *text, size_t size)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644), result;
	ssize_t length;

	if (file < 0)
		return -errno;
	length = write(file, text, size);
	result = length < 0 ? -errno : (size_t)length < size ? -ENOSPC : 0;
	if (!result && fchmod(file, 0644)) /* whatever the umask */
		result = -errno;
	close(file);
	return result;
}

int replace_file(const char *directory, const char *name, void (*print)(void))
{
	char path[PATH_MAX], draft[PATH_MAX];
	size_t size = 0;
	char *text;
	int result;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
	    snprintf(draft, sizeof(draft), "%s/%s" DRAFT, directory, name) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	text = capture(print, &size);
	if (!text)
		return -ENOMEM;
	result = write_file(draft, text, size);
	free(text);
	if (!result && rename(draft, path))
		result = -errno;
	if (result)
		unlink(draft);
	return result;
}
