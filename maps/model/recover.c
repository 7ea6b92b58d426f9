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
	struct conf running, wanted;
	enum status status;

	if (!read_journal(balancer, &wanted))
		return DONE;
	status = conf_load(balancer, &running, wanted.has_denies);
	if (!status) {
		conf_repair(balancer, &running, false);
		adopt_numbers(&wanted, &running);
		status = conf_commit(balancer, &running, &wanted, false);
		conf_free(&running);
	}
	remove_journal(balancer); /* if it failed, too: the next command is not to fail by it */
	conf_free(&wanted);
	return status;
}

enum status recover_config(struct balancer *balancer, struct conf *conf, bool with_denies,
			   bool is_reader)
{
	enum status status = redo(balancer);

	if (!status)
		status = conf_load(balancer, conf, with_denies);
	if (!status)
		conf_repair(balancer, conf, is_reader);
	return status;
}
