// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/store.h"
#include "model/journal.h"

#define JOURNAL_PATH "/run/xdp-lb.%u%s" /* by the balancer's id; nobody's after a boot */
#define UNFINISHED ".new" /* may be left by a kill; the next one takes its place */

/* Structures as this helper has them: another one cannot read them if a size differs. */
struct header {
	__u32 layout, service_size, backend_size, source_size, deny_size;
	struct configuration config;
};

static void path_of(char path[PATH_MAX], const struct balancer *balancer, const char *end)
{
	snprintf(path, PATH_MAX, JOURNAL_PATH, balancer->id, end);
}

static struct header header_of(const struct configuration *config)
{
	return (struct header){
		.layout = LAYOUT_VERSION,
		.service_size = sizeof(*config->services),
		.backend_size = sizeof(*config->services->backends),
		.source_size = sizeof(*config->sources),
		.deny_size = sizeof(*config->denies),
		.config = *config,
	};
}

static void write_all(FILE *file, const struct configuration *config)
{
	struct header header = header_of(config);

	fwrite(&header, sizeof(header), 1, file);
	for_each_service(service, config) {
		fwrite(service, sizeof(*service), 1, file);
		if (service->count)
			fwrite(service->backends, sizeof(*service->backends), service->count, file);
	}
	if (config->source_count)
		fwrite(config->sources, sizeof(*config->sources), config->source_count, file);
	if (config->deny_count)
		fwrite(config->denies, sizeof(*config->denies), config->deny_count, file);
}

int write_journal(const struct balancer *balancer, const struct configuration *wanted)
{
	char path[PATH_MAX], unfinished[PATH_MAX];
	bool failed;
	FILE *file;
	int fd;

	path_of(path, balancer, "");
	path_of(unfinished, balancer, UNFINISHED);
	fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -errno;
	write_all(file, wanted);
	failed = ferror(file);
	failed |= fclose(file) != 0;
	note_store();
	if (failed || rename(unfinished, path)) {
		unlink(unfinished);
		return -EIO;
	}
	note_store();
	return 0;
}

static bool read_elements(FILE *file, void **array, unsigned int count, size_t size)
{
	*array = calloc(count + 1, size);
	return *array && fread(*array, size, count, file) == count;
}

static bool read_service(FILE *file, struct config_service *service)
{
	if (fread(service, sizeof(*service), 1, file) != 1)
		return false;
	service->backends = NULL;
	service->room = service->count;
	return service->count <= MAX_BACKENDS &&
	       read_elements(file, (void **)&service->backends, service->count,
			     sizeof(*service->backends));
}

/* The pointers in the file are those of another process. */
static bool read_all(FILE *file, struct configuration *config)
{
	struct header header, own = header_of(config);
	unsigned int count;

	if (fread(&header, sizeof(header), 1, file) != 1 ||
	    memcmp(&header, &own, offsetof(struct header, config)) ||
	    header.config.count > MAX_SERVICES || header.config.source_count > MAX_POOL ||
	    header.config.deny_count > MAX_DENIED)
		return false;
	count = header.config.count;
	*config = header.config;
	config->count = 0;
	config->room = count;
	config->source_room = config->source_count;
	config->sources = NULL;
	config->deny_room = config->deny_count;
	config->denies = NULL;
	config->has_table = NULL;
	config->services = calloc(count + 1, sizeof(*config->services));
	for (; config->services && config->count < count; config->count++) {
		if (!read_service(file, &config->services[config->count]))
			return false;
	}
	return config->services &&
	       read_elements(file, (void **)&config->sources, config->source_count,
			     sizeof(*config->sources)) &&
	       read_elements(file, (void **)&config->denies, config->deny_count,
			     sizeof(*config->denies));
}

bool read_journal(const struct balancer *balancer, struct configuration *wanted)
{
	char path[PATH_MAX];
	bool done;
	FILE *file;

	config_init(wanted);
	path_of(path, balancer, "");
	file = fopen(path, "re");
	if (!file)
		return false;
	done = read_all(file, wanted);
	fclose(file);
	if (!done)
		config_free(wanted);
	return done;
}

void remove_journal(const struct balancer *balancer)
{
	char path[PATH_MAX];

	path_of(path, balancer, "");
	if (!unlink(path))
		note_store();
}
