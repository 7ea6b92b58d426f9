// SPDX-License-Identifier: GPL-2.0
/* check set, del, show: how `watch` checks a service's backends */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/check.h"
#include "cmd/options.h"
#include "cmd/print.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/check_address.h"

#define DEFAULT_INTERVAL 2000
#define DEFAULT_TIMEOUT 1000
#define DEFAULT_RISE 2
#define DEFAULT_FALL 3
#define LEAST_TIME 50 /* milliseconds */
#define MOST_TIME 3600000
#define MOST_IN_A_ROW 1000

static bool wrong(const char *word, const char *expected)
{
	fail(WRONG, "'%.100s': expected %s", word, expected);
	return false;
}

/* Seconds, with up to three digits behind the point, to milliseconds. */
static bool parse_time(const char *word, void *value)
{
	const char *expected = "seconds from 0.05 to 3600, as 2 or 0.5";
	__u32 milliseconds = 0, part = 100;
	const char *at = word;

	for (; *at >= '0' && *at <= '9' && at - word < 5; at++)
		milliseconds = milliseconds * 10 + 1000 * (*at - '0');
	if (at == word || (*at && *at != '.') || (*at == '.' && !at[1]))
		return wrong(word, expected);
	if (*at == '.')
		at++;
	for (; *at >= '0' && *at <= '9' && part; at++, part /= 10)
		milliseconds += part * (*at - '0');
	*(__u32 *)value = milliseconds;
	return (!*at && milliseconds >= LEAST_TIME && milliseconds <= MOST_TIME) ||
	       wrong(word, expected);
}

static bool parse_in_a_row(const char *word, void *value)
{
	return parse_number(word, 1, MOST_IN_A_ROW, value);
}

static bool parse_percent(const char *word, void *value)
{
	return parse_number(word, 0, 100, value);
}

static bool parse_http_status(const char *word, void *value)
{
	return parse_number(word, 100, 599, value);
}

static bool parse_port(const char *word, void *value)
{
	return parse_number(word, 1, 65535, value);
}

static bool parse_on_fail(const char *word, void *value)
{
	*(__u32 *)value = !strcmp(word, "down");
	return !strcmp(word, "down") || !strcmp(word, "drain") || wrong(word, "down or drain");
}

/* Printable, and no blank. */
static bool is_plain(const char *word)
{
	for (const char *at = word; *at; at++) {
		if (*at <= ' ' || *at > '~')
			return false;
	}
	return *word && strlen(word) < CHECK_WORD;
}

static bool parse_host(const char *word, void *value)
{
	if (!is_plain(word) || strpbrk(word, "/\\\"'<>#"))
		return wrong(word, "the name of a host, of up to 127 characters");
	strcpy(value, word);
	return true;
}

static bool parse_path(const char *word, char *path)
{
	if (*word != '/' || !is_plain(word))
		return wrong(word, "a path that begins with /, of up to 127 characters");
	strcpy(path, word);
	return true;
}

/* The name of a file in the directory of checks, and no path. */
static bool parse_program(const char *word, char *name)
{
	size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-");

	if (!length || word[length] || *word == '.' || length >= CHECK_WORD)
		return wrong(word, "the name of a file in /etc/xdp-lb/checks.d");
	strcpy(name, word);
	return true;
}

static bool take_type(struct words *words, struct check *check)
{
	const char *word = next_word(words, "tcp, http or exec");

	if (!word)
		return false;
	for (__u8 type = CHECK_TCP; type < CHECK_TYPES && !check->type; type++) {
		if (!strcmp(word, check_type_name(type)))
			check->type = type;
	}
	if (!check->type)
		return wrong(word, "tcp, http or exec");
	if (check->type == CHECK_TCP)
		return true;
	word = next_word(words, check->type == CHECK_HTTP ? "a path" : "a name");
	return word && (check->type == CHECK_HTTP ? parse_path(word, check->word) :
						    parse_program(word, check->word));
}

bool parse_check_set(struct words *words, struct request *request)
{
	struct check *check = &request->check;
	__u32 port = 0, on_fail = 0, panic = 0, status = 0;
	struct option check_options[] = {
		{ "interval", parse_time, &check->interval, false },
		{ "timeout", parse_time, &check->timeout, false },
		{ "rise", parse_in_a_row, &check->rise, false },
		{ "fall", parse_in_a_row, &check->fall, false },
		{ "on-fail", parse_on_fail, &on_fail, false },
		{ "panic", parse_percent, &panic, false },
		{ "port", parse_port, &port, false },
		{ "host", parse_host, check->host, false },
		{ "status", parse_http_status, &status, false },
	};

	check->interval = DEFAULT_INTERVAL;
	check->timeout = DEFAULT_TIMEOUT;
	check->rise = DEFAULT_RISE;
	check->fall = DEFAULT_FALL;
	if (!take_vip(words, request) || !take_type(words, check) ||
	    !parse_options(words, check_options, check->type == CHECK_HTTP ? 9 : 7))
		return false;
	check->ends_flows = on_fail;
	check->panic = panic;
	check->port = htons(port);
	check->status = status;
	return true;
}

/* Whether there is what to check: backends; and for a connection, a TCP port. A program finds its
 * own. */
static enum status check_service(const struct config_service *service, const struct check *check)
{
	if (service->mode == MODE_USER)
		return fail(WRONG, "%s: mode user has no backends to check",
			    text_of_vip(&service->vip).s);
	if (check->type == CHECK_EXEC || check->port)
		return DONE;
	if (service->vip.protocol != IPPROTO_TCP)
		return fail(WRONG, "%s is not TCP: expected port, that the backends are checked at",
			    text_of_vip(&service->vip).s);
	if (service->vip.port == ANY_PORT)
		return fail(WRONG,
			    "%s has any port: expected port, that the backends are checked at",
			    text_of_vip(&service->vip).s);
	return DONE;
}

enum status set_check(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);
	enum status status;

	if (!service)
		return FAILED;
	status = check_service(service, &request->check);
	if (!status)
		service->check = request->check;
	return status;
}

/* Whether a `watch` runs that was given an address to check from. */
static bool is_watched_from(const struct balancer *balancer, const struct address *vip)
{
	const struct address *from = &balancer->watcher->from[is_ipv4(vip) ? 0 : 1];
	__u32 age;

	return watch_age(balancer, &age) && age < WATCH_PATIENCE && !is_zero_address(from);
}

/* Whether the VIP can be checked at its backends; says how, or why not. */
static enum status say_check_address(struct balancer *balancer, const struct configuration *config,
				     const struct config_service *service,
				     const struct check *check)
{
	const struct address *vip = &service->vip.address;
	struct address host;

	if (!is_checked_by_vip(balancer, service, check) || is_watched_from(balancer, vip))
		return DONE;
	if (check->type == CHECK_HTTP)
		return fail(FAILED,
			    "mode %s: http needs an address of its own on the link to check from: "
			    "run watch from ADDR",
			    mode_name(service->mode));
	if (!find_host_address(balancer, config, vip, 0, &host))
		return fail(FAILED,
			    "mode %s: this host has no IPv%c address but VIPs to check from: run "
			    "watch from ADDR, an address of its own on the link",
			    mode_name(service->mode), is_ipv4(vip) ? '4' : '6');
	warn("%s: handshakes only, from %s (watch from ADDR makes full connections)",
	     text_of_vip(&service->vip).s, text_of_address(&host).s);
	return DONE;
}

/* The same for a request. */
static enum status judge_check(const struct request *request)
{
	const struct config_service *service;
	struct configuration config;
	struct balancer balancer;
	enum status status;

	options.selection.is_for_change = true;
	status = open_and_load(&balancer, &config, false);
	if (status)
		return status;
	service = config_find(&config, &request->vip);
	if (service)
		status = check_service(service, &request->check);
	if (service && !status)
		status = say_check_address(&balancer, &config, service, &request->check);
	close_and_free(&balancer, &config);
	return status;
}

enum status run_check_set(const struct request *request)
{
	enum status status = judge_check(request);

	return status ? status :
			run_change(&(struct change){ .change = set_check, .request = request });
}

enum status delete_check(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	if (!service->check.type)
		return fail(FAILED, "%s has no check", text_of_vip(&service->vip).s);
	forget_check(service);
	return DONE;
}

static void show_check(const struct config_service *service)
{
	const struct check *check = &service->check;

	if (!check->type)
		return;
	open_object(NULL);
	print_string("vip", "%s", text_of_vip(&service->vip).s);
	print_string("type", " %s", check_type_name(check->type));
	if (check->type == CHECK_HTTP)
		print_string("path", " %s", check->word);
	if (check->type == CHECK_EXEC)
		print_string("name", " %s", check->word);
	if (*check->host)
		print_string("host", " host %s", check->host);
	if (check->status)
		print_number("status", " status %llu", check->status);
	if (check->port)
		print_number("port", " port %llu", ntohs(check->port));
	print_seconds("interval", " interval %s", check->interval);
	print_seconds("timeout", " timeout %s", check->timeout);
	print_number("rise", " rise %llu", check->rise);
	print_number("fall", " fall %llu", check->fall);
	print_string("on_fail", " on-fail %s", check->ends_flows ? "down" : "drain");
	print_number("panic", check->panic ? " panic %llu" : NULL, check->panic);
	print_text("\n");
	close_level();
}

enum status show_checks(struct view *view, const struct request *request)
{
	(void)request;
	open_array(NULL);
	for_each_service(service, view)
		show_check(service);
	close_level();
	return DONE;
}
