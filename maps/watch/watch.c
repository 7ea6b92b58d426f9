// SPDX-License-Identifier: GPL-2.0
/* watch: the frame. It holds the balancer, and tells the parts what becomes of it. */
#define _GNU_SOURCE /* setns */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "cmd/options.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "model/attachment.h"
#include "model/discover.h"
#include "model/recover.h"
#include "watch/announce.h"
#include "watch/checks.h"
#include "watch/hops.h"
#include "watch/house.h"
#include "watch/loop.h"
#include "watch/notify.h"
#include "watch/packets.h"
#include "watch/status.h"
#include "watch/watch.h"

#define LOOK_NS (250 * NS_PER_MS) /* whether the configuration is another one */
#define SEARCH_NS NS_PER_SECOND /* for the balancer; whether it still is the same */

/* What `watch` does. A part comes behind those that it uses. */
/* clang-format off */
static const struct part *const parts[] = {
	&hops,
	&packets,
	&checks,
	&announce_part,
	&house,
	&status_part,
	NULL,
};
/* clang-format on */

static struct watch watch;
static struct timer look, search;
static int own_netns; /* that names of namespaces and devices are looked up in */
static __u32 generation; /* of the configuration that was read */
static char state[1200]; /* that was said last */
static bool is_refused; /* another watch has the balancer */
static bool is_replaced; /* another watch comes at once, and goes on with what there is */

static bool take_addresses(struct words *words, struct request *request)
{
	do {
		const char *word = next_word(words, "an address");

		if (!word)
			return false;
		if (request->from_count == WATCH_ADDRESSES) {
			fail(WRONG, "'%.100s': expected an address for each family", word);
			return false;
		}
		if (!parse_address(word, &request->from[request->from_count]))
			return false;
		if (request->from_count &&
		    is_ipv4(&request->from[0]) == is_ipv4(&request->from[1])) {
			fail(WRONG, "'%.100s': expected an address for each family", word);
			return false;
		}
		request->from_count++;
	} while (words->left && strpbrk(*words->word, ".:"));
	return true;
}

/* 0 means all of them to the kernel, 255 is its own, and BIRD knows 32 bits. */
static bool take_table(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a table");

	if (!word || !parse_number(word, 1, UINT32_MAX, &request->table))
		return false;
	if (request->table >= RT_TABLE_DEFAULT && request->table <= RT_TABLE_LOCAL) {
		fail(WRONG, "'%.100s': expected a table that routes nothing else", word);
		return false;
	}
	request->keep = words->left && !strcmp(*words->word, "keep");
	if (request->keep)
		next_word(words, "keep");
	return true;
}

bool parse_watch(struct words *words, struct request *request)
{
	request->directory = NULL;
	while (words->left) {
		const char *word = next_word(words, "an option");
		bool is_from = !strcmp(word, "from"), is_directory = !strcmp(word, "-o");
		bool is_announce = !strcmp(word, "announce");

		if ((is_from && request->from_count) || (is_directory && request->directory) ||
		    (is_announce && request->table)) {
			fail(WRONG, "'%s': expected each option once", word);
			return false;
		}
		if (is_from && !take_addresses(words, request))
			return false;
		if (is_directory && !(request->directory = next_word(words, "a directory")))
			return false;
		if (is_announce && !take_table(words, request))
			return false;
		if (!is_from && !is_directory && !is_announce) {
			fail(WRONG, "'%.100s': expected from, announce or -o", word);
			return false;
		}
	}
	if (!request->directory)
		request->directory = DEFAULT_DIRECTORY;
	return true;
}

/* Tells systemd, and the log, how it is with the balancer; what is new only. */
static void say_state(const char *text)
{
	char status[sizeof(state) + sizeof("STATUS=")];

	if (!strcmp(text, state))
		return;
	snprintf(state, sizeof(state), "%s", text);
	snprintf(status, sizeof(status), "STATUS=%s", text);
	notify(status);
	warn("%s", text);
}

void report_parts(void)
{
	for (const struct part *const *part = parts; *part; part++) {
		if ((*part)->report)
			(*part)->report(&watch);
	}
}

static void call_parts(void)
{
	for (const struct part *const *part = parts; *part; part++) {
		if ((*part)->follow)
			(*part)->follow(&watch);
	}
}

void begin_trial(struct trial *trial)
{
	memset(trial, 0, sizeof(*trial));
	hold_warnings(trial->error, sizeof(trial->error));
}

void end_trial(const struct trial *trial)
{
	static struct trial last;

	hold_warnings(NULL, 0);
	if (*trial->error && strcmp(trial->error, last.error) != 0)
		warn("%s", trial->error);
	last = *trial;
}

/* Reads the configuration anew, and has all parts follow. */
static void read_anew(void)
{
	struct configuration config;
	struct trial trial;
	enum status status;

	begin_trial(&trial);
	status = lock_balancer(&watch.balancer);
	if (!status)
		status = recover_config(&watch.balancer, &config, false, true);
	if (!status)
		generation = watch.balancer.config->generation;
	unlock_balancer(&watch.balancer);
	end_trial(&trial);
	if (status)
		return;
	config_free(&watch.config);
	watch.config = config;
	call_parts();
}

static void leave_balancer(void)
{
	if (!watch.has_balancer)
		return;
	watch.has_balancer = false;
	config_free(&watch.config);
	call_parts();
	close_balancer(&watch.balancer);
}

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		warn("cannot enter a network namespace: %s", strerror(errno));
}

/* What a watch that was killed has left there is mended, if no device has a balancer any more. */
static void say_absence(void)
{
	struct place *places = NULL;
	struct netns netns;

	if (netns_open(options.selection.netns, &netns))
		return;
	if (!find_places(&netns, &places)) {
		enter(netns.fd);
		call_parts();
	}
	netns_close(&netns);
	free(places);
}

static void say_balancer(void)
{
	char text[200];

	snprintf(text, sizeof(text), "watching the balancer on %s%s%s, %u services",
		 watch.balancer.place.ifindex ? watch.balancer.place.device : "no device",
		 *watch.balancer.place.netns ? " in " : "", watch.balancer.place.netns,
		 watch.config.count);
	say_state(text);
}

/*
 * Finds the balancer, in whose namespace the process is from then on. It is another one if its maps
 * are. Where another watch has it, two would contradict each other: this one ends.
 */
static void find_balancer(void)
{
	static unsigned int misses; /* in a row: one may be the kernel's lack of memory */
	struct balancer found;
	char error[MAX_ERROR] = "";
	enum status status;

	enter(own_netns);
	hold_warnings(error, sizeof(error));
	status = open_balancer(&options.selection, &found);
	if (!status && place_balancer(&found)) {
		status = FAILED;
		close_balancer(&found);
	}
	hold_warnings(NULL, 0);
	if (status && watch.has_balancer && !misses++) {
		enter(watch.balancer.netns.fd);
		return;
	}
	if (status) {
		if (!watch.has_balancer && misses++ == 1)
			say_absence();
		leave_balancer();
		say_state(error);
		return;
	}
	misses = 0;
	if (watch.has_balancer && found.id == watch.balancer.id) {
		close_balancer(&found);
		enter(watch.balancer.netns.fd);
		return;
	}
	leave_balancer();
	if (lock_role(&found, ROLE_WATCH)) {
		close_balancer(&found);
		is_refused = true;
		loop_end();
		return;
	}
	enter(found.netns.fd);
	watch.balancer = found;
	watch.has_balancer = true;
	read_anew();
	say_balancer();
}

/* Others see that checks are made, and from where. */
static void give_sign_of_life(void)
{
	const struct watcher *watcher = watch.balancer.watcher;
	struct address from[WATCH_ADDRESSES] = { 0 };

	for (unsigned int i = 0; i < watch.request->from_count; i++)
		from[is_ipv4(&watch.request->from[i]) ? 0 : 1] = watch.request->from[i];
	if (memcmp(watcher->from, from, sizeof(from)) != 0)
		store_bytes(watcher->from, from, sizeof(from));
	store(watcher->seen, second_now());
}

static void expire_search(struct timer *timer)
{
	find_balancer();
	if (watch.has_balancer)
		give_sign_of_life();
	timer_set(timer, nanosecond_now() + SEARCH_NS);
}

static void expire_look(struct timer *timer)
{
	if (watch.has_balancer && watch.balancer.config->generation != generation) {
		read_anew();
		say_balancer();
	}
	timer_set(timer, nanosecond_now() + LOOK_NS);
}

enum status watch_change(struct watch *changed, const struct change *change)
{
	struct trial trial;
	enum status status;

	begin_trial(&trial);
	status = change_balancer(&changed->balancer, change);
	end_trial(&trial);
	if (!status)
		read_anew();
	return status;
}

static void receive_signal(struct io *io, __u32 events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(io->fd, &info, sizeof(info)) != sizeof(info))
		return;
	is_replaced = info.ssi_signo == SIGHUP;
	loop_end();
}

static struct io signals = { .ready = receive_signal };

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals.fd < 0 ? -errno : loop_add(&signals, EPOLLIN);
}

static enum status start_parts(void)
{
	for (const struct part *const *part = parts; *part; part++) {
		enum status status = (*part)->start ? (*part)->start(&watch) : DONE;

		if (status)
			return status;
	}
	return DONE;
}

static void stop_parts(void)
{
	for (const struct part *const *part = parts; *part; part++) {
		if ((*part)->stop)
			(*part)->stop(&watch);
	}
}

static int run_parts(void)
{
	look.expire = expire_look;
	search.expire = expire_search;
	expire_search(&search);
	if (is_refused)
		return 0;
	expire_look(&look);
	notify("READY=1");
	return loop_run();
}

enum status run_watch(const struct request *request)
{
	enum status status;
	int result;

	watch.request = request;
	config_init(&watch.config);
	options.selection.is_for_change = true;
	own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	result = own_netns < 0 ? -errno : loop_open();
	if (!result)
		result = open_signals();
	if (result)
		return fail(FAILED, "cannot begin to watch: %s", strerror(-result));
	status = start_parts();
	if (status)
		return status;
	result = run_parts();
	notify("STOPPING=1");
	if (!is_refused && !is_replaced)
		stop_parts();
	if (watch.has_balancer) {
		config_free(&watch.config);
		close_balancer(&watch.balancer);
	}
	if (result)
		return fail(FAILED, "cannot wait: %s", strerror(-result));
	return is_refused ? FAILED : DONE;
}
