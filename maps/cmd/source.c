// SPDX-License-Identifier: GPL-2.0
/* source add, del, show: the pool of addresses that mode nat has as source instead of the VIP. */
#include <stdlib.h>

#include "cmd/print.h"
#include "cmd/source.h"
#include "lib/text.h"
#include "model/flow_table.h"

bool parse_source_add(struct words *words, struct request *request)
{
	struct address address;

	request->list = words->word;
	request->list_count = words->left;
	do {
		const char *word = next_word(words, "an address");

		if (!word || !parse_address(word, &address))
			return false;
	} while (words->left);
	return true;
}

bool parse_source(struct words *words, struct request *request)
{
	const char *word = next_word(words, "an address");

	return word && parse_address(word, &request->real.address) && no_more_words(words);
}

/* An address is the pool's alone: a VIP's packets are its clients', a backend's own are its own. */
static enum status check_unused(const struct configuration *config, const struct address *address)
{
	struct text name = text_of_address(address);

	for_each_service(service, config) {
		if (same_address(&service->vip.address, address))
			return fail(FAILED, "%s is the VIP of %s", name.s,
				    text_of_vip(&service->vip).s);
		for_each_backend(backend, service) {
			if (same_address(&backend->real.address, address))
				return fail(FAILED, "%s is a backend of %s", name.s,
					    text_of_vip(&service->vip).s);
		}
	}
	return DONE;
}

/* One that drains comes back with the flows that it has. */
static enum status add_source(struct configuration *config, const struct address *address)
{
	struct config_source *source = source_find(config, address);
	enum status status = check_unused(config, address);

	if (status)
		return status;
	if (is_source_up(source))
		return fail(FAILED, "%s is already a source", text_of_address(address).s);
	if (!source)
		source = source_insert(config, address);
	if (!source)
		return fail(FAILED, "out of memory");
	source->state = STATE_UP;
	return DONE;
}

enum status add_sources(struct configuration *config, const struct request *request)
{
	enum status status = DONE;

	for (unsigned int i = 0; i < request->list_count && !status; i++) {
		struct address address;

		parse_address(request->list[i], &address);
		status = add_source(config, &address);
	}
	return status;
}

enum status delete_source(struct configuration *config, const struct request *request)
{
	struct config_source *source = source_find(config, &request->real.address);
	struct text name = text_of_address(&request->real.address);

	if (!source)
		return fail(FAILED, "%s is not a source", name.s);
	if (source->state == STATE_DRAINING)
		return fail(FAILED, "%s is no source any more: it drains", name.s);
	source->state = STATE_DRAINING;
	return DONE;
}

enum status show_sources(struct view *view, const struct request *request)
{
	__u32 *flows = count_flows_by_source(&view->balancer, false);

	(void)request;
	if (!flows)
		return fail(FAILED, "out of memory");
	open_array(NULL);
	for_each_source(source, &view->config) {
		open_object(NULL);
		print_string("address", "%-22s", text_of_address(&source->self.address).s);
		print_string("state", " %-9s", state_name(source->state));
		print_number("flows", " flows %llu\n", flows[source->number]);
		close_level();
	}
	close_level();
	free(flows);
	return DONE;
}
