/* SPDX-License-Identifier: GPL-2.0 */
/* As little of HTTP as a check needs. */
#ifndef WATCH_HTTP_H
#define WATCH_HTTP_H

#include <stddef.h>

#include "watch/attempt.h"

#define HTTP_REQUEST_SIZE 512
#define HTTP_STATUS_END 12 /* bytes of "HTTP/1.1 200" */

/* Writes the request for a target; returns its length. */
size_t http_request(const struct target *target, char request[HTTP_REQUEST_SIZE]);

/* What is wrong with an answer that begins so, or NULL; good until the next call. */
const char *http_fault(const struct check *check, const char *answer, size_t length);

#endif
