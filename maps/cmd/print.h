/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a command shows, as text or (-j) as JSON: one call for both, in the manner of iproute2.
 *
 * `format` is for text and has one conversion (%s, %llu, %f); NULL: the value is in JSON only.
 * `name` is for JSON: every value in an object has one, elsewhere it is NULL. Commas and the
 * newline at the end come by themselves.
 */
#ifndef CMD_PRINT_H
#define CMD_PRINT_H

#include "lib/address.h"

void open_object(const char *name);
void open_array(const char *name);
void close_level(void); /* of the innermost object or array */

/* The name of the next value, for what prints one as a value of its own. */
void print_name(const char *name);

void print_string(const char *name, const char *format, const char *value);
void print_number(const char *name, const char *format, __u64 value);
void print_decimal(const char *name, const char *format, double value);
void print_seconds(const char *name, const char *format, __u32 milliseconds); /* %s */
void print_bool(const char *name, const char *text, bool value); /* the text, if true */
void print_null(const char *name, const char *text);
void print_json(const char *text); /* JSON only: a value that is JSON already */
void print_endpoint(const struct endpoint *endpoint); /* JSON only: "address" and "port" */

/* Text only. */
void print_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
