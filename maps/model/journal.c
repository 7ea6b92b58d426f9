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
	__u32 layout, service_size, backend_size, deny_size;
	struct conf conf;
};

static void path_of(char path[PATH_MAX], const struct balancer *balancer, const char *end)
{
	snprintf(path, PATH_MAX, JOURNAL_PATH, balancer->id, end);
}

static struct header header_of(const struct conf *conf)
{
	return (struct header){
		.layout = LAYOUT_VERSION,
		.service_size = sizeof(*conf->services),
		.backend_size = sizeof(*conf->services->backends),
		.deny_size = sizeof(*conf->denies),
		.conf = *conf,
	};
}

static void write_all(FILE *file, const struct conf *conf)
{
	struct header header = header_of(conf);

	fwrite(&header, sizeof(header), 1, file);
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		fwrite(service, sizeof(*service), 1, file);
		if (service->count)
			fwrite(service->backends, sizeof(*service->backends), service->count, file);
	}
	if (conf->deny_count)
		fwrite(conf->denies, sizeof(*conf->denies), conf->deny_count, file);
}

int write_journal(const struct balancer *balancer, const struct conf *wanted)
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

static bool read_service(FILE *file, struct conf_service *service)
{
	if (fread(service, sizeof(*service), 1, file) != 1)
		return false;
	service->table_memory = NULL;
	service->mapped = 0;
	service->backends = NULL;
	service->room = service->count;
	return service->count <= MAX_BACKENDS &&
	       read_elements(file, (void **)&service->backends, service->count,
			     sizeof(*service->backends));
}

/* The pointers in the file are those of another process. */
static bool read_all(FILE *file, struct conf *conf)
{
	struct header header, own = header_of(conf);
	unsigned int count;

	if (fread(&header, sizeof(header), 1, file) != 1 ||
	    memcmp(&header, &own, offsetof(struct header, conf)) ||
	    header.conf.count > MAX_SERVICES || header.conf.deny_count > MAX_DENIED)
		return false;
	count = header.conf.count;
	*conf = header.conf;
	conf->count = 0;
	conf->room = count;
	conf->deny_room = conf->deny_count;
	conf->denies = NULL;
	conf->has_table = NULL;
	conf->services = calloc(count + 1, sizeof(*conf->services));
	for (; conf->services && conf->count < count; conf->count++) {
		if (!read_service(file, &conf->services[conf->count]))
			return false;
	}
	return conf->services &&
	       read_elements(file, (void **)&conf->denies, conf->deny_count, sizeof(*conf->denies));
}

bool read_journal(const struct balancer *balancer, struct conf *wanted)
{
	char path[PATH_MAX];
	bool done;
	FILE *file;

	conf_init(wanted);
	path_of(path, balancer, "");
	file = fopen(path, "re");
	if (!file)
		return false;
	done = read_all(file, wanted);
	fclose(file);
	if (!done)
		conf_free(wanted);
	return done;
}

void remove_journal(const struct balancer *balancer)
{
	char path[PATH_MAX];

	path_of(path, balancer, "");
	if (!unlink(path))
		note_store();
}
