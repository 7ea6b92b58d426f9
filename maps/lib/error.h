/* SPDX-License-Identifier: GPL-2.0 */
/* Exit statuses, and the one line on standard error that goes with them. */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stddef.h>

enum status {
	DONE = 0,
	FAILED = 1, /* the operation failed */
	WRONG = 2, /* the words or values were wrong; nothing was changed */
};

/* Prints the line "xdp-lb: ...", of an error or of what is worth saying and no error. Control
 * characters are printed as \xNN, so that any word can be named. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline enum status as_status(enum status status)
{
	return status;
}

/* Prints the line of an error, and is `status`. */
#define fail(status, ...) (warn(__VA_ARGS__), as_status(status))

/* Until it is called with NULL: lines are kept in `line`, the last one, instead of printed. */
void hold_warnings(char *line, size_t size);

/* Until it is called with line 0: lines begin with "xdp-lb: FILE:LINE: ". */
void set_error_place(const char *file, unsigned int line);

#endif
