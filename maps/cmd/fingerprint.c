// SPDX-License-Identifier: GPL-2.0
#include "cmd/fingerprint.h"
#include "cmd/print.h"
#include "model/fingerprint.h"

enum status show_fingerprint(struct view *view, const struct request *request)
{
	struct fingerprint fingerprint = fingerprint_of(&view->config);

	(void)request;
	open_object(NULL);
	print_string("configuration", "configuration %s\n", fingerprint.configuration);
	print_string("live", "live          %s\n", fingerprint.live);
	close_level();
	return DONE;
}
