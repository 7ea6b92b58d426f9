/* SPDX-License-Identifier: GPL-2.0 */
/* Names that maps/doctor still uses for those of cmd/print.h. */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include "cmd/print.h"

#define json_object open_object
#define json_array open_array
#define json_end close_level
#define json_string(name, value) print_string(name, NULL, value)

#endif
