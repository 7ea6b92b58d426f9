/* SPDX-License-Identifier: GPL-2.0 */
/* Files that others read while they are written: they see the old one or the new one. */
#ifndef WATCH_REPLACE_FILE_H
#define WATCH_REPLACE_FILE_H

/* Makes what `print` writes to standard output the file's content. Returns 0 or -errno; then it is
 * as it was. */
int replace_file(const char *directory, const char *name, void (*print)(void));

#endif
