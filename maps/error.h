/* SPDX-License-Identifier: GPL-2.0 */
/* Exit statuses, and the one line on standard error that goes with them. */
#ifndef ERROR_H
#define ERROR_H

enum status {
	DONE = 0,
	FAILED = 1, /* the operation failed */
	WRONG = 2, /* the words or values were wrong; nothing was changed */
};

/* Prints the line "xdp-lb: ..." and returns `status`. Control characters are printed as \xNN, so
 * that any word can be named. */
enum status fail(enum status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what is worth saying and no error. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Until it is called with line 0: lines begin with "xdp-lb: FILE:LINE: ". */
void set_error_place(const char *file, unsigned int line);

#endif
