/* SPDX-License-Identifier: GPL-2.0 */
/* What `xdp-lb doctor` knows of its patient, a device, and how it says what it finds. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "command.h"
#include "ethtool.h"
#include "netlink.h"

/* A device, and whom to ask about it. */
struct port {
	struct device device;
	struct netns netns;
	int ethtool;
};

struct patient {
	struct port port;
	int netlink; /* in its namespace */
	struct device *devices; /* all of its namespace */
	int device_count;
	char driver[DRIVER_NAME];
	bool has_peer; /* it is a veth, and where its peer is can be seen */
	struct port peer;
	bool is_ours; /* the balancer is attached to it */
	char program[16]; /* name of what is attached to it */
	unsigned int findings;
};

/* A command line to be typed as it is. */
struct shell {
	char s[1500];
};

/* The command in a namespace: with nsenter where it is not ours. */
struct shell run_in(const struct netns *netns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct shell both(struct shell first, struct shell second);
struct shell quoted(const char *word); /* for the shell */
/* The path of one of our objects or scripts, wherever they are installed. */
struct shell path_of(const char *file);
/* This helper, with the options that lead it to this balancer. */
struct shell helper(const struct patient *patient, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says what is wrong (format), why that matters, and the command that mends it. `check` is a word
 * for programs to tell findings apart. */
void report(struct patient *patient, const char *check, const struct shell *command,
	    const char *cause, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* doctor_device.c */
enum status examine_device(struct patient *patient);
void check_program(struct patient *patient);
void check_device(struct patient *patient);
void check_stub(struct patient *patient, const struct port *peer, const struct device *device);
/* Finds the other end of a veth; to be closed by close_port(). */
bool open_peer(const struct patient *patient, const struct device *device, struct port *peer);
void close_port(struct port *port);
bool is_native(const struct device *device);
struct shell attach_command(const struct patient *patient, const struct device *device,
			    const char *options);

/* doctor_host.c */
void check_bpffs(struct patient *patient);
void check_pins(struct patient *patient, const struct balancer *balancer);
void check_ip(struct patient *patient);

/* doctor_service.c */
void check_vips(struct patient *patient, struct balancer *balancer, const struct conf *conf);
void check_backends(struct patient *patient, struct balancer *balancer, const struct conf *conf);

/* doctor_count.c: counters that climb, in the time between the two calls. */
struct watch {
	struct device_counter *device;
	int device_count;
	__u64 internal; /* packets that the program aborted */
};

void begin_watch(struct patient *patient, const struct balancer *balancer, struct watch *watch);
void end_watch(struct patient *patient, const struct balancer *balancer, struct watch *watch);

#endif
