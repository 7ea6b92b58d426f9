/* SPDX-License-Identifier: GPL-2.0 */
/* Checks by programs that root has put into a directory. */
#ifndef WATCH_PROGRAM_H
#define WATCH_PROGRAM_H

#include "watch/attempt.h"

/* What cannot even begin ends at once; others wait for their turn. */
void start_program(struct attempt *attempt);

/* Gives up what the attempt holds, and its turn. */
void drop_program(struct attempt *attempt);

#endif
