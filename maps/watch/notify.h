/* SPDX-License-Identifier: GPL-2.0 */
/* What systemd is told (sd_notify(3)), by a datagram; nothing where it has not asked for it. */
#ifndef WATCH_NOTIFY_H
#define WATCH_NOTIFY_H

/* Lines of NAME=VALUE, such as READY=1. */
void notify(const char *state);

#endif
