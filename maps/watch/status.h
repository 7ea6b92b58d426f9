/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of `watch` that says how it is, for who looks without being root: status.json and
 * metrics in the directory of `watch`, each replaced as a whole. The status page shows the former.
 *
 * What other parts report is in it, too. Of each service and backend the page knows, by name, why
 * the last check said so: "checks": [{"vip", "backend": {"address", "port"}, "reason"}].
 */
#ifndef WATCH_STATUS_H
#define WATCH_STATUS_H

#include "watch/watch.h"

extern const struct part status_part;

#endif
