// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "model/journal.h"
#include "model/numbers.h"
#include "model/read_config.h"
#include "model/reconcile.h"
#include "model/recover.h"
#include "model/write_config.h"

/* Makes the configuration of the journal run. Some of it may run already: what does not differ is
 * not touched. */
static enum status redo(struct balancer *balancer)
{
	struct configuration running, wanted;
	enum status status;

	if (!read_journal(balancer, &wanted))
		return DONE;
	status = read_config(balancer, &running, wanted.has_denies);
	if (!status) {
		reconcile(balancer, &running, false);
		adopt_numbers(&wanted, &running);
		status = write_config(balancer, &running, &wanted, false);
		config_free(&running);
	}
	remove_journal(balancer); /* if it failed, too: the next command is not to fail by it */
	config_free(&wanted);
	return status;
}

enum status recover_config(struct balancer *balancer, struct configuration *config,
			   bool with_denies, bool is_reader)
{
	enum status status = redo(balancer);

	if (!status)
		status = read_config(balancer, config, with_denies);
	if (!status)
		reconcile(balancer, config, is_reader);
	return status;
}
