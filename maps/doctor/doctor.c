// SPDX-License-Identifier: GPL-2.0
/*
 * doctor: what would keep the balancer from working on a device. Each finding is a line: what was
 * seen, why that matters, how sure it is, and a command. Nothing is changed.
 */
#include <time.h>

#include "cmd/change.h"
#include "cmd/print.h"
#include "cmd/options.h"
#include "doctor/answer.h"
#include "doctor/backend.h"
#include "doctor/counters.h"
#include "doctor/device.h"
#include "doctor/direct.h"
#include "doctor/doctor.h"
#include "doctor/examination.h"
#include "doctor/host.h"
#include "doctor/program.h"
#include "doctor/traffic.h"
#include "doctor/vip.h"
#include "model/balancer.h"

#define WATCH_MS 1000 /* how long counters are watched */

bool parse_doctor(struct words *words, struct request *request)
{
	return take_device(words, request) && no_more_words(words);
}

static void wait_since(const struct timespec *start)
{
	struct timespec end = *start;

	end.tv_sec += WATCH_MS / 1000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

/* The examination of a balancer's configuration, hosts and traffic. */
static enum status check_configured(struct exam *exam, struct balancer *balancer,
				    const struct configuration *config, struct traffic *traffic)
{
	struct timespec start;
	struct next_hops hops;
	enum status status;
	int direct;

	clock_gettime(CLOCK_MONOTONIC, &start);
	status = begin_traffic(balancer, config, traffic);
	if (status)
		return status;
	direct = begin_direct(exam, config);
	check_sources(exam, config);
	check_claimed(exam, config);
	if (find_next_hops(exam, balancer, config, &hops)) {
		check_next_hops(exam, config, &hops);
		check_answers(exam, config, &hops);
		free_next_hops(&hops);
	}
	check_returned(exam, config);
	check_arms(exam, balancer, config);
	check_forwarding(exam, config);
	check_idle_services(exam, config);
	check_watched(exam, balancer, config);
	wait_since(&start);
	end_direct(exam, config, direct);
	status = end_traffic(balancer, config, traffic);
	if (status)
		return status;
	check_owned(exam, config, traffic);
	check_refused(exam, balancer, config, traffic);
	check_slow_path(exam, config, traffic);
	return DONE;
}

/* What can be told only of a device that the balancer is attached to. */
static enum status check_balancer(struct exam *exam)
{
	struct balancer balancer;
	struct traffic traffic;
	enum status status;
	struct watch watch;
	struct configuration config;

	options.selection.device = exam->subject.device.name;
	status = open_and_load(&balancer, &config, false);
	if (status)
		return status;
	begin_watch(exam, &balancer, &watch);
	check_pins(exam, &balancer);
	check_device(exam);
	status = check_configured(exam, &balancer, &config, &traffic);
	end_watch(exam, &balancer, &watch);
	free_traffic(&traffic);
	close_and_free(&balancer, &config);
	return status;
}

static enum status examine(struct exam *exam)
{
	check_ip(exam);
	check_bpffs(exam);
	check_program(exam);
	if (exam->is_ours)
		return check_balancer(exam);
	check_device(exam);
	return DONE;
}

enum status run_doctor(const struct request *request)
{
	struct exam exam = { .netlink = -1, .subject.ethtool = -1, .subject.netns.fd = -1 };
	enum status status;

	options.selection.device = request->device;
	status = open_exam(&exam);
	if (!status) {
		open_array(NULL);
		status = examine(&exam);
		close_level();
	}
	close_exam(&exam);
	return status ? status : exam.findings ? FAILED : DONE;
}
