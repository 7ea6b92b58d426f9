// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* F_OFD_SETLK */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "model/balancer.h"

#define FLOWS_SIZE (FLOWS * sizeof(struct flow))

void close_balancer(struct balancer *balancer)
{
	unlock_balancer(balancer);
	if (balancer->role_lock >= 0)
		close(balancer->role_lock);
	balancer->role_lock = -1;
	if (balancer->flows)
		unmap_memory(balancer->flows, FLOWS_SIZE);
	if (balancer->is_placed)
		netns_close(&balancer->netns);
	for (int i = 0; i < MAPS; i++) {
		if (balancer->map[i] >= 0)
			close(balancer->map[i]);
		balancer->map[i] = -1;
	}
}

bool has_data_path(const struct balancer *balancer)
{
	return !balancer->is_for_sockets;
}

enum status map_flows(struct balancer *balancer)
{
	if (!balancer->flows)
		balancer->flows = has_data_path(balancer) ?
					  map_memory(balancer->map[MAP_FLOWS], FLOWS_SIZE) :
					  zero_memory(FLOWS_SIZE);
	if (!balancer->flows)
		return fail(FAILED, "cannot map the flow table: %s", strerror(errno));
	return DONE;
}

enum status lock_balancer(struct balancer *balancer)
{
	balancer->lock = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (balancer->lock < 0)
		return fail(FAILED, "%s: %s", LOCK_PATH, strerror(errno));
	while (flock(balancer->lock, LOCK_EX)) {
		if (errno != EINTR)
			return fail(FAILED, "cannot lock %s: %s", LOCK_PATH, strerror(errno));
	}
	return DONE;
}

void unlock_balancer(struct balancer *balancer)
{
	if (balancer->lock >= 0)
		close(balancer->lock);
	balancer->lock = -1;
}

void stop_caching(struct balancer *balancer)
{
	if (balancer->is_uncached)
		return;
	balancer->is_uncached = true;
	balancer->generation = balancer->config->generation;
	store(balancer->config->generation, GENERATION_CHANGING);
}

/* After a helper that was killed in between its number is not known: the clock gives another. */
void resume_caching(struct balancer *balancer)
{
	bool is_known = balancer->generation > GENERATION_CHANGING;
	__u32 next = is_known ? balancer->generation + 1 : nanosecond_now() >> 8;

	if (!balancer->is_uncached && balancer->config->generation != GENERATION_CHANGING)
		return;
	balancer->is_uncached = false;
	next %= GENERATION_BY_HAND;
	if (next <= GENERATION_CHANGING)
		next = GENERATION_CHANGING + 1;
	store(balancer->config->generation, next);
}

/* Each balancer has a byte of the lock file for each role. */
static struct flock byte_of(const struct balancer *balancer, enum role role)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)role << 32 | balancer->id,
		.l_len = 1,
	};
}

enum status lock_role(struct balancer *balancer, enum role role)
{
	struct flock byte = byte_of(balancer, role);

	balancer->role_lock = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (balancer->role_lock < 0)
		return fail(FAILED, "%s: %s", LOCK_PATH, strerror(errno));
	if (fcntl(balancer->role_lock, F_OFD_SETLK, &byte))
		return fail(FAILED, "another %s of this balancer is running",
			    role == ROLE_TRACE ? "trace" : "watch");
	return DONE;
}

bool is_traced(const struct balancer *balancer)
{
	struct flock byte = byte_of(balancer, ROLE_TRACE);

	return balancer->lock < 0 || fcntl(balancer->lock, F_OFD_GETLK, &byte) ||
	       byte.l_type != F_UNLCK;
}
