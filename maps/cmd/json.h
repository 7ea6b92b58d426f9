/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small JSON writer onto standard output. Commas and newlines come by themselves; inside an
 * object every value has a name, elsewhere the name is NULL.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <linux/types.h>

void json_object(const char *name);
void json_array(const char *name);
void json_end(void); /* of the innermost object or array */
void json_string(const char *name, const char *value);
void json_number(const char *name, __u64 value);
void json_decimal(const char *name, double value);
void json_bool(const char *name, bool value);
void json_null(const char *name);

#endif
