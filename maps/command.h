/* SPDX-License-Identifier: GPL-2.0 */
/* Commands: their words, and what they do. */
#ifndef COMMAND_H
#define COMMAND_H

#include "conf.h"
#include "parse.h"

/* What was given before the command. */
struct global_options {
	bool json;
	struct selection selection;
};

extern struct global_options options;

/* A command's words, parsed. What was not given is zero. */
struct request {
	struct endpoint vip;
	bool has_vip;
	struct endpoint real; /* backend, or client */
	bool has_real;
	__u32 mode, slots, settle, hash; /* of a service */
	__u32 weight;
	__u8 mac[6];
	bool has_mac;
	__u32 pps, burst, flows; /* limits */
	const char *timeout; /* tcp, fin or udp */
	__u32 seconds;
	__u32 count;
	struct deny_key prefix;
	const char *file;
	const char *device;
	const struct conf *conf; /* what the file says */
	bool dry;
	unsigned int line; /* of a configuration file, or 0 */
};

struct command {
	const char *object;
	const char *verb; /* NULL: none */
	const char *arguments, *help;
	bool (*parse)(struct words *words, struct request *request);
	/* Changes the configuration. It may be called again, on a fresh copy. */
	enum status (*change)(struct conf *conf, const struct request *request);
	/* Does all else. With neither, the words are those of a file only. */
	enum status (*run)(const struct request *request);
	bool in_file; /* may be a line of a configuration file */
};

extern const struct command commands[];
extern const unsigned int command_count;

/* The command that the first words name, which are taken; NULL after saying that there is none. */
const struct command *find_command(struct words *words);

/* How a change is made. */
struct change {
	enum status (*change)(struct conf *conf, const struct request *request);
	const struct request *request;
	bool with_denies;
	bool anew; /* ask for next hops anew */
	bool is_lenient; /* what does not answer is kept out, or kept as it was, and is no error */
	bool dry;
	const char *file; /* where backends' lines are */
	/* Called at the end, after success. */
	void (*report)(const struct conf *running, const struct conf *wanted);
};

/* Loads, changes, resolves, commits. */
enum status make_change(struct balancer *balancer, const struct change *change);

/* For readers: opens the balancer and loads its configuration at one time, without the lock held
 * afterwards. */
enum status open_and_load(struct balancer *balancer, struct conf *conf, bool with_denies);
void close_and_free(struct balancer *balancer, struct conf *conf);

/* The services to show: that of the request, or all. Returns false if there is no such one. */
bool select_services(const struct conf *conf, const struct request *request,
		     const struct conf_service **first, unsigned int *count);

/* Parsers that several commands share. */
bool parse_nothing(struct words *words, struct request *request);
bool parse_vip_only(struct words *words, struct request *request);
bool parse_optional_vip(struct words *words, struct request *request);
bool parse_vip_and_real(struct words *words, struct request *request);

/* The commands. */
bool parse_service_add(struct words *words, struct request *request);
enum status add_service(struct conf *conf, const struct request *request);
enum status run_service_add(const struct request *request);
enum status delete_service(struct conf *conf, const struct request *request);
enum status show_services(const struct request *request);

bool parse_backend_add(struct words *words, struct request *request);
bool parse_backend_set(struct words *words, struct request *request);
enum status add_backend(struct conf *conf, const struct request *request);
enum status set_backend(struct conf *conf, const struct request *request);
enum status drain_backend(struct conf *conf, const struct request *request);
enum status down_backend(struct conf *conf, const struct request *request);
enum status up_backend(struct conf *conf, const struct request *request);
enum status delete_backend(struct conf *conf, const struct request *request);
enum status refresh_backends(const struct request *request);

bool parse_flow_flush(struct words *words, struct request *request);
enum status show_flows(const struct request *request);
enum status count_flows(const struct request *request);
enum status flush_flows(const struct request *request);

bool parse_timeout(struct words *words, struct request *request);
enum status set_timeout(struct conf *conf, const struct request *request);
enum status show_timeouts(const struct request *request);

bool parse_limit(struct words *words, struct request *request);
enum status set_limit(struct conf *conf, const struct request *request);
enum status delete_limit(struct conf *conf, const struct request *request);
enum status show_limits(const struct request *request);

bool parse_deny(struct words *words, struct request *request);
enum status add_deny(struct conf *conf, const struct request *request);
enum status run_deny_add(const struct request *request);
enum status run_deny_delete(const struct request *request);
enum status show_denies(const struct request *request);

bool parse_stats(struct words *words, struct request *request);
enum status show_stats(const struct request *request);
enum status zero_stats(const struct request *request);
enum status show_metrics(const struct request *request);

enum status save_conf(const struct request *request);
bool parse_apply(struct words *words, struct request *request);
enum status apply_file(const struct request *request);

bool parse_where(struct words *words, struct request *request);
enum status show_where(const struct request *request);
bool parse_trace(struct words *words, struct request *request);
enum status trace_decisions(const struct request *request);

bool parse_doctor(struct words *words, struct request *request);
enum status run_doctor(const struct request *request);

enum status show_help(const struct request *request);
enum status show_version(const struct request *request);

#endif
