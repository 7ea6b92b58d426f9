// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "watch/examination.h"
#include "watch/loop.h"

#define EVERY_NS (60 * NS_PER_SECOND)
#define PATIENCE_NS (30 * NS_PER_SECOND) /* then it is ended */
#define MOST 65536 /* bytes of an answer; a longer one counts for none */

static void receive(struct io *io, __u32 events);
static void lose_patience(struct timer *timer);

static struct {
	struct io io;
	struct timer patience;
	pid_t child; /* 0: none */
	char answer[MOST];
	size_t length;
	__u64 asked, answered;
	char *findings;
} doctor = { .io = { .fd = -1, .ready = receive }, .patience = { .expire = lose_patience } };

const char *last_findings(void)
{
	return doctor.findings;
}

__u64 last_examined(void)
{
	return doctor.answered;
}

void forget_findings(void)
{
	free(doctor.findings);
	doctor.findings = NULL;
	doctor.asked = 0;
}

static void end_child(void)
{
	timer_clear(&doctor.patience);
	loop_remove(&doctor.io);
	close(doctor.io.fd);
	kill(doctor.child, SIGKILL);
	waitpid(doctor.child, NULL, 0);
	doctor.child = 0;
}

static void lose_patience(struct timer *timer)
{
	(void)timer;
	end_child();
}

/* The answer is whole when its end has come: doctor prints the array's bracket last. */
static void take_answer(void)
{
	while (doctor.length && doctor.answer[doctor.length - 1] == '\n')
		doctor.length--;
	if (doctor.length < 2 || doctor.answer[0] != '[' || doctor.answer[doctor.length - 1] != ']')
		return;
	free(doctor.findings);
	doctor.findings = strndup(doctor.answer, doctor.length);
	doctor.answered = nanosecond_now();
}

static void receive(struct io *io, __u32 events)
{
	ssize_t length = read(io->fd, doctor.answer + doctor.length, MOST - doctor.length);

	(void)events;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length > 0) {
		doctor.length += length;
		return;
	}
	if (!length && doctor.length < MOST)
		take_answer();
	end_child();
}

/* In the child. Signals that `watch` takes by a descriptor are its own. */
static void run_doctor_on(const struct place *place, int output)
{
	char *const here[] = { "xdp-lb", "-j", "doctor", (char *)place->device, NULL };
	char *const there[] = {
		"xdp-lb", "-j", "-n", (char *)place->netns, "doctor", (char *)place->device, NULL
	};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0)
		_exit(1);
	execv("/proc/self/exe", *place->netns ? there : here);
	_exit(1);
}

static void ask_doctor(const struct place *place)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	doctor.child = fork();
	if (!doctor.child)
		run_doctor_on(place, ends[1]);
	close(ends[1]);
	doctor.io.fd = ends[0];
	doctor.length = 0;
	if (doctor.child > 0 && !loop_add(&doctor.io, EPOLLIN)) {
		timer_set(&doctor.patience, nanosecond_now() + PATIENCE_NS);
		return;
	}
	close(ends[0]);
	if (doctor.child > 0) {
		kill(doctor.child, SIGKILL);
		waitpid(doctor.child, NULL, 0);
	}
	doctor.child = 0;
}

void examine_now_and_then(const struct watch *watch)
{
	__u64 now = nanosecond_now();

	if (doctor.child || !watch->has_balancer || !watch->balancer.place.ifindex ||
	    (doctor.asked && now - doctor.asked < EVERY_NS))
		return;
	doctor.asked = now;
	ask_doctor(&watch->balancer.place);
}
