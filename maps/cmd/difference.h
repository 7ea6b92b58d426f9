/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_DIFFERENCE_H
#define CMD_DIFFERENCE_H

#include "model/config.h"

/* Prints what changes, as commands where there are such, else as comments. */
void report_difference(const struct conf *running, const struct conf *wanted);

#endif
