/* SPDX-License-Identifier: GPL-2.0 */
/* The version of the helper, as `version` and status.json say it. */
#ifndef LIB_VERSION_H
#define LIB_VERSION_H

#ifndef VERSION
#define VERSION "1.0"
#endif

#endif
