/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration as lines of commands: for `save`, and for what `apply` says it does. */
#ifndef CMD_CONFIG_LINE_H
#define CMD_CONFIG_LINE_H

#include "model/config.h"

struct line {
	char s[640];
};

/* Seconds of `settle` as said and shown; 0: no limit. */
__u32 said_settle(const struct config_service *service);

struct line line_of_service(const struct config_service *service); /* service add */
struct line line_of_backend(const struct config_service *service,
			    const struct config_backend *backend); /* backend add */
/* VERB of a backend: drain, down, ... */
struct line line_of_verb(const char *verb, const struct config_service *service,
			 const struct config_backend *backend);
struct line line_of_state(const struct config_service *service,
			  const struct config_backend *backend);
struct line line_of_limit(const struct config_service *service); /* limit set */
struct line line_of_pmtu(__u32 pmtu);
struct line line_of_check(const struct config_service *service); /* check set */
struct line line_of_source(const char *verb, const struct config_source *source);
struct line line_of_timeout(const char *name, __u32 seconds);
struct line line_of_deny(const char *verb, const struct deny_key *key);

#endif
