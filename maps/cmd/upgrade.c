// SPDX-License-Identifier: GPL-2.0
/* upgrade */
#include <stdio.h>

#include "cmd/options.h"
#include "cmd/print.h"
#include "cmd/upgrade.h"
#include "model/carry_over.h"
#include "model/flow_table.h"
#include "model/upgrade.h"

bool parse_upgrade(struct words *words, struct request *request)
{
	if (!take_device(words, request))
		return false;
	take_flag(words, "dry-run", &request->dry);
	return no_more_words(words);
}

/* What becomes of the flows, before anything is done. */
static void say_plan(const struct upgrade *upgrade, __u32 flows)
{
	bool is_kept = keeps_flows(upgrade);

	open_object(NULL);
	print_number("from", "layout %llu", layout_of(&upgrade->old));
	print_number("to", keeps_layout(upgrade) ? " stays: " : " becomes %llu: ", LAYOUT_VERSION);
	print_number("flows", is_kept ? "%llu flows are kept" : "%llu nat flows end", flows);
	print_text(is_kept ? "" : ", as their records have another format");
	print_text("\n");
	print_bool("kept", "", is_kept);
	open_array("devices");
	for (unsigned int i = 0; i < upgrade->count; i++)
		print_string(NULL, NULL, upgrade->places[i].device);
	close_level();
	close_level();
	fflush(stdout);
}

static void say_end(const struct upgrade *upgrade)
{
	for (unsigned int i = 0; i < upgrade->count; i++)
		print_text("%s has the new program\n", upgrade->places[i].device);
}

/* Flows are counted by the configuration that they go by. */
static enum status run_with(struct selection *selection, const struct request *request,
			    const struct balancer *running)
{
	struct upgrade upgrade;
	enum status status;

	selection->may_be_older = false;
	status = plan_upgrade(selection, &upgrade);
	if (!status)
		say_plan(&upgrade, count_flows_of(running, &upgrade.old, !keeps_flows(&upgrade)));
	if (!status && !request->dry) {
		status = execute_upgrade(&upgrade);
		if (!status)
			say_end(&upgrade);
	}
	free_upgrade(&upgrade);
	return status;
}

enum status run_upgrade(const struct request *request)
{
	struct selection selection = options.selection;
	struct balancer running;
	enum status status;

	selection.device = request->device;
	selection.may_be_older = true;
	status = open_balancer(&selection, &running);
	if (status)
		return status;
	status = run_with(&selection, request, &running);
	close_balancer(&running);
	return status;
}
