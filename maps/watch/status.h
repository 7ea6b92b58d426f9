/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of `watch` that says how it is, for who looks without being root: status.json and
 * metrics in the directory of `watch`, each replaced as a whole. The status page shows the former.
 *
 * What other parts report is in it, too: see checks.h.
 */
#ifndef WATCH_STATUS_H
#define WATCH_STATUS_H

#include "watch/watch.h"

extern const struct part status_part;

#endif
