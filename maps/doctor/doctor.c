// SPDX-License-Identifier: GPL-2.0
/*
 * doctor: what would keep the balancer from working on a device. Each finding is a line: what is
 * wrong, why that matters, and the command that mends it. Nothing is changed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/change.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "doctor/backend.h"
#include "doctor/counters.h"
#include "doctor/device.h"
#include "doctor/doctor.h"
#include "doctor/examination.h"
#include "doctor/host.h"
#include "doctor/program.h"
#include "doctor/vip.h"
#include "model/balancer.h"

#define WATCH_MS 1000 /* how long counters are watched */

bool parse_doctor(struct words *words, struct request *request)
{
	const char *device = next_word(words, "a device");

	if (!device)
		return false;
	request->device = device;
	if (*device && strlen(device) < IF_NAMESIZE && !strchr(device, '/'))
		return no_more_words(words);
	fail(WRONG, "'%.100s': the name of a device expected", device);
	return false;
}

static void wait_since(const struct timespec *start)
{
	struct timespec end = *start;

	end.tv_sec += WATCH_MS / 1000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

/* What can be told only of a device that the balancer is attached to. */
static enum status check_balancer(struct patient *patient)
{
	struct timespec start;
	struct balancer balancer;
	enum status status;
	struct watch watch;
	struct conf conf;

	options.selection.device = patient->port.device.name;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	clock_gettime(CLOCK_MONOTONIC, &start);
	begin_watch(patient, &balancer, &watch);
	check_pins(patient, &balancer);
	check_device(patient);
	check_vips(patient, &conf);
	check_backends(patient, &balancer, &conf);
	wait_since(&start);
	end_watch(patient, &balancer, &watch);
	close_and_free(&balancer, &conf);
	return DONE;
}

static enum status examine(struct patient *patient)
{
	check_ip(patient);
	check_bpffs(patient);
	check_program(patient);
	if (patient->is_ours)
		return check_balancer(patient);
	check_device(patient);
	return DONE;
}

enum status run_doctor(const struct request *request)
{
	struct patient patient = { .netlink = -1, .port.ethtool = -1, .port.netns.fd = -1 };
	enum status status;

	options.selection.device = request->device;
	status = examine_device(&patient);
	if (!status) {
		if (options.json)
			json_array(NULL);
		status = examine(&patient);
		if (options.json)
			json_end();
	}
	if (patient.has_peer)
		close_port(&patient.peer);
	close_port(&patient.port);
	if (patient.netlink >= 0)
		close(patient.netlink);
	free(patient.devices);
	return status ? status : patient.findings ? FAILED : DONE;
}
