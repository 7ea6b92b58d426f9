// SPDX-License-Identifier: GPL-2.0
/*
 * decap.bpf.o on a backend: what comes out of a tunnel, and what passes as it came.
 *
 *	LB (TUNNEL) ══ C1 ── VIP ══ B1
 */
#define _GNU_SOURCE /* unshare */
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "packet.h"

/* A row of a table ends where it has nothing more to say. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define BPFFS "/sys/fs/bpf"
#define ECT 2 /* ECN field: capable */
#define CE 3 /* congestion experienced */

static const char *const program_names[] = { "xdp_decap", "xdp_decap_frags" };

/* Each runs for inner packets of both families. */
struct decap_case {
	const char *name;
	int action;
	const struct layer *in;
	const struct layer *out; /* NULL: as it came */
};

#define ON_WIRE ETH(LB, B1)
#define INNER IP(C1, VIP), TCP(40000, 80, ACK), DATA(1001)

/* In a tunnel of each family. A layer list cannot be an argument: it is all that is behind. */
#define IN_EITHER(name, action, ...)                                                               \
	{ name " in IPv4", action, P(ON_WIRE, IP4(TUNNEL, B1), __VA_ARGS__) },                     \
	{                                                                                          \
		name " in IPv6", action, P(ON_WIRE, IP6(TUNNEL, B1), __VA_ARGS__)                  \
	}
#define TAKEN_OUT(name, ...)                                                                       \
	{ name " out of IPv4", XDP_PASS, P(ON_WIRE, IP4(TUNNEL, B1), __VA_ARGS__),                 \
	  P(ON_WIRE, __VA_ARGS__) },                                                               \
	{                                                                                          \
		name " out of IPv6", XDP_PASS, P(ON_WIRE, IP6(TUNNEL, B1), __VA_ARGS__),           \
			P(ON_WIRE, __VA_ARGS__)                                                    \
	}
#define KEPT(name, ...)                                                                            \
	{                                                                                          \
		name, XDP_PASS, P(__VA_ARGS__)                                                     \
	}

static const struct decap_case cases[] = {
	TAKEN_OUT("tcp", INNER),
	TAKEN_OUT("udp of no byte", IP(C1, VIP), UDP(40000, 53)),
	TAKEN_OUT("a later fragment", IP(C1, VIP), UDP(40000, 53), DATA(2000), FRAGMENT(1480, 520)),
	TAKEN_OUT("an unknown protocol", IP(C1, VIP), OTHER(99, 40)),
	TAKEN_OUT("trailing bytes", INNER, TRAIL(9)),
	TAKEN_OUT("the inner checksum stays wrong", IP(C1, VIP, .add = 3),
		  TCP(1, 80, SYN, .add = 5)),
	TAKEN_OUT("the tunnel's own ECN does not matter", IP(C1, VIP, .tos = CE), TCP(1, 80, ACK)),
	{ "the inner packet is shorter than its room", XDP_PASS,
	  P(ON_WIRE, IP4(TUNNEL, B1), IP4(C1, VIP, .length = 50), UDP(1, 53, .length = 30),
	    DATA(30)),
	  P(ON_WIRE, IP4(C1, VIP, .length = 50), UDP(1, 53, .length = 30), DATA(30)) },
	{ "a VLAN tag stays", XDP_PASS, P(ON_WIRE, VLAN(5), IP4(TUNNEL, B1), INNER),
	  P(ON_WIRE, VLAN(5), INNER) },
	{ "two VLAN tags stay", XDP_PASS,
	  P(ON_WIRE, VLAN(5, .protocol = 0x88a8), VLAN(6), IP6(TUNNEL, B1), INNER),
	  P(ON_WIRE, VLAN(5, .protocol = 0x88a8), VLAN(6), INNER) },
	KEPT("outer options", ON_WIRE, IP4(TUNNEL, B1, .options = 40), INNER),
	KEPT("outer extension header", ON_WIRE, IP6(TUNNEL, B1), EXTENSION(60), INNER),

	{ "congestion in IPv4 is handed on", XDP_PASS,
	  P(ON_WIRE, IP4(TUNNEL, B1, .tos = CE), IP(C1, VIP, .tos = ECT | 0x28), TCP(1, 80, ACK)),
	  P(ON_WIRE, IP(C1, VIP, .tos = CE | 0x28), TCP(1, 80, ACK)) },
	{ "congestion in IPv6 is handed on", XDP_PASS,
	  P(ON_WIRE, IP6(TUNNEL, B1, .tos = CE), IP(C1, VIP, .tos = ECT), TCP(1, 80, ACK)),
	  P(ON_WIRE, IP(C1, VIP, .tos = CE), TCP(1, 80, ACK)) },
	{ "congestion that cannot be handed on is loss", XDP_DROP,
	  P(ON_WIRE, IP4(TUNNEL, B1, .tos = CE), INNER) },

	KEPT("no tunnel", ON_WIRE, INNER),
	KEPT("ARP", ETH(LB, ALL_NODES), ARP),
	KEPT("for everyone", ETH(LB, ALL_NODES), IP4(TUNNEL, B1), INNER),
	KEPT("three tags", ON_WIRE, VLAN(1), VLAN(2), VLAN(3), IP4(TUNNEL, B1), INNER),
	KEPT("an outer fragment, the first", ON_WIRE, IP4(TUNNEL, B1, .offset = 0x2000), INNER),
	KEPT("an outer fragment, a later one", ON_WIRE, IP4(TUNNEL, B1, .offset = 0x0010), INNER),
	KEPT("an outer fragment of IPv6", ON_WIRE, IP6(TUNNEL, B1), EXTENSION(44, .offset = 1),
	     INNER),
	KEPT("the outer checksum is wrong", ON_WIRE, IP4(TUNNEL, B1, .add = 1), INNER),
	KEPT("the outer length is past the frame", ON_WIRE, IP4(TUNNEL, B1, .length = 1500), INNER),
	KEPT("the same, IPv6", ON_WIRE, IP6(TUNNEL, B1, .length = 1500), INNER),
	KEPT("the outer length is too short for the inner", ON_WIRE, IP4(TUNNEL, B1, .length = 500),
	     INNER),
	KEPT("the same, IPv6", ON_WIRE, IP6(TUNNEL, B1, .length = 500), INNER),
	KEPT("the outer length ends in the inner header", ON_WIRE, IP4(TUNNEL, B1, .length = 39),
	     INNER),
	KEPT("the same, IPv6", ON_WIRE, IP6(TUNNEL, B1, .length = 19), INNER),
	IN_EITHER("an inner version that lies", XDP_PASS, IP(C1, VIP, .version = 5),
		  TCP(1, 80, ACK)),
	{ "an inner family that lies in IPv4", XDP_PASS,
	  P(ON_WIRE, IP4(TUNNEL, B1, .protocol = IPPROTO_IPV6), IP4(C1, VIP), TCP(1, 80, ACK)) },
	{ "an inner family that lies in IPv6", XDP_PASS,
	  P(ON_WIRE, IP6(TUNNEL, B1, .protocol = IPPROTO_IPIP), IP6(C1, VIP), TCP(1, 80, ACK)) },
	{ "an inner header length that lies", XDP_PASS,
	  P(ON_WIRE, IP4(TUNNEL, B1), IP4(C1, VIP, .header = 4), TCP(1, 80, ACK)) },
	{ "an inner length below its header", XDP_PASS,
	  P(ON_WIRE, IP4(TUNNEL, B1), IP4(C1, VIP, .length = 19), TCP(1, 80, ACK)) },
};

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(1);
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* Loads the object, found above this program, in namespaces that end with it. */
static void load_object(void)
{
	char command[4500], self[4000] = "";

	need(!unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare (are you root?)");
	need(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
	need(!mount("bpf", BPFFS, "bpf", 0, NULL), "mount " BPFFS);
	need(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0, "/proc/self/exe");
	*strrchr(self, '/') = 0;
	snprintf(command, sizeof(command), "bpftool prog loadall '%s/../../../%s' " BPFFS "/decap",
		 self, "decap.bpf.o");
	need(system(command) == 0, command);
}

static int open_program(const char *name)
{
	char path[128];
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	int fd;

	snprintf(path, sizeof(path), BPFFS "/decap/%s", name);
	fd = bpf(BPF_OBJ_GET, &attr);
	need(fd >= 0, path);
	return fd;
}

/* Returns the action. */
static int run_program(int fd, const uint8_t *in, size_t length, uint8_t *out, size_t *out_length)
{
	union bpf_attr attr = { .test = {
					.prog_fd = fd,
					.data_in = (uintptr_t)in,
					.data_size_in = length,
					.data_out = (uintptr_t)out,
					.data_size_out = MAX_FRAME,
				} };

	need(!bpf(BPF_PROG_TEST_RUN, &attr), "BPF_PROG_TEST_RUN");
	*out_length = attr.test.data_size_out;
	return attr.test.retval;
}

/* What is wrong with the outcome of a frame, or NULL. */
static const char *check_frame(int fd, const uint8_t *in, size_t length, int action,
			       const uint8_t *want, size_t want_length)
{
	static uint8_t out[MAX_FRAME];
	size_t out_length;

	if (run_program(fd, in, length, out, &out_length) != action)
		return "another action than expected";
	if (action == XDP_PASS && (out_length != want_length || memcmp(out, want, want_length)))
		return "another packet out than expected";
	return NULL;
}

static const char *check_case(const struct decap_case *test, int fd)
{
	static uint8_t in[MAX_FRAME], want[MAX_FRAME];
	size_t length = build(test->in, in, NULL, 0);
	size_t want_length = build(test->out ? test->out : test->in, want, NULL, 0);

	return check_frame(fd, in, length, test->action, want, want_length);
}

/* A packet that is cut anywhere passes as it is. */
static const char *check_cut(int fd, const struct layer *layers)
{
	static uint8_t in[MAX_FRAME];
	const char *why = NULL;
	size_t length = build(layers, in, NULL, 0);

	while (!why && --length >= 14) /* what the kernel takes at least */
		why = check_frame(fd, in, length, XDP_PASS, in, length);
	return why;
}

static int report(const char *name, int program, const char *why)
{
	printf("%s %s, inner IPv%d, %s%s%s\n", why ? "FAIL" : "PASS", name, family,
	       program_names[program], why ? ": " : "", why ? why : "");
	return why != NULL;
}

int main(void)
{
	int failures = 0;

	load_object();
	for (int program = 0; program < 2; program++) {
		int fd = open_program(program_names[program]);

		for (family = 4; family <= 6; family += 2) {
			for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
				failures += report(cases[i].name, program,
						   check_case(&cases[i], fd));
			failures += report("cut in IPv4", program,
					   check_cut(fd, P(ON_WIRE, IP4(TUNNEL, B1), INNER)));
			failures += report("cut in IPv6", program,
					   check_cut(fd, P(ON_WIRE, IP6(TUNNEL, B1), INNER)));
		}
	}
	return failures != 0;
}
