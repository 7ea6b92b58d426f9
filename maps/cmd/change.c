// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "cmd/change.h"
#include "cmd/options.h"
#include "lib/text.h"
#include "model/discover.h"
#include "model/next_hop.h"
#include "model/own.h"
#include "model/pool.h"
#include "model/recover.h"
#include "model/write_config.h"

/*
 * Whether the backend cannot be served now. A gateway gets what `dsr` sends to its MAC, and routes
 * it to the VIP: back here. A MAC that was given is the operator's word.
 */
static bool is_out_of_reach(const struct config_service *service, const struct hop_lookup *lookup,
			    const char **why)
{
	if (service->mode != MODE_DSR || !lookup->needs_mac || !has_gateway(lookup))
		return is_unreachable(lookup, why);
	*why = "mode dsr needs it on the link, and the route to it leads over a gateway "
	       "(mode ipip goes over gateways; else give its mac)";
	return true;
}

static const char *role_of(const struct config_service *service,
			   const struct config_backend *backend)
{
	return backend == &service->via ? "next hop" : "backend";
}

/* A backend that does not answer. `dsr` and `ipip` have a cause of their own for it. */
static enum status say_dead(struct balancer *balancer, const struct config_service *service,
			    const struct config_backend *backend, const struct hop_lookup *lookup,
			    const char *why)
{
	const char *hint = "";

	if (!has_gateway(lookup) && (service->mode == MODE_DSR || service->mode == MODE_IPIP) &&
	    is_ipv4(&service->vip.address) && is_local(balancer, &service->vip.address))
		hint = "; does it drop ARP from the VIP? set accept_local=1 there, or give its mac";
	return fail(FAILED, "%s %s: %s%s", role_of(service, backend),
		    text_of_real(&backend->real).s, why, hint);
}

/* Where its clients are is not known here. */
static void say_tag(const struct change *change, const struct config_service *service,
		    const struct config_backend *backend, const struct hop_lookup *lookup)
{
	if (keeps_tag(lookup) && !change->is_lenient)
		warn("%s %s is in a VLAN: packets keep the tag that they came with, so clients of "
		     "another VLAN do not reach it, unless the balancer is attached to the VLANs' "
		     "devices",
		     role_of(service, backend), text_of_real(&backend->real).s);
}

/* Gives a backend its next hop. What cannot be reached fails, or is kept as it is. */
static enum status settle_backend(struct balancer *balancer, const struct change *change,
				  const struct config_service *service,
				  struct config_backend *backend, struct hop_lookup *lookup)
{
	const char *why;

	backend->is_pending = false;
	if (is_no_host(lookup, &why) && !change->anew) {
		if (change->files)
			set_error_place(name_of_file(change->files[backend->said_at.file]),
					backend->said_at.line);
		return fail(WRONG, "%s is %s", text_of_real(&backend->real).s, why);
	}
	if (!is_out_of_reach(service, lookup, &why)) {
		set_next_hop(backend, lookup);
		say_tag(change, service, backend, lookup);
		return DONE;
	}
	if (!change->is_lenient)
		return say_dead(balancer, service, backend, lookup, why);
	if (!lookup->is_said)
		warn("%s %s: %s; kept %s", role_of(service, backend),
		     text_of_address(&lookup->to).s, why,
		     is_resolved(&backend->hop) ? "as it was" : "out until xdp-lb refresh");
	lookup->is_said = true;
	return DONE;
}

static enum status settle_backends(struct balancer *balancer, const struct change *change,
				   struct configuration *wanted, struct hop_lookups *lookups)
{
	for_each_service(service, wanted) {
		for_each_record(backend, service) {
			struct hop_lookup *lookup;
			enum status status;

			if (!backend->is_pending)
				continue;
			lookup = find_lookup(lookups, backend);
			if (!lookup)
				return fail(FAILED, "the configuration changed meanwhile");
			status = settle_backend(balancer, change, service, backend, lookup);
			if (status)
				return status;
		}
	}
	return DONE;
}

/* Sockets find the way to their backends themselves. */
static void need_no_hops(struct configuration *wanted)
{
	for_each_service(service, wanted) {
		for_each_backend(backend, service) {
			backend->needs_no_hop = true;
			backend->is_pending = false;
		}
	}
}

/*
 * One attempt, with the lock held. Ways that are needed and not known end it: then *missing is how
 * many, and the caller looks them up without the lock, and tries again.
 */
static enum status attempt(struct balancer *balancer, const struct change *change,
			   struct hop_lookups *lookups, struct configuration *running,
			   struct configuration *wanted, int *missing)
{
	enum status status = recover_config(balancer, running, change->with_denies, false);

	if (status)
		return status;
	if (!config_copy(wanted, running))
		return fail(FAILED, "out of memory");
	status = change->change(wanted, change->request);
	if (status)
		return status;
	if (!has_data_path(balancer))
		need_no_hops(wanted);
	*missing = collect_lookups(lookups, wanted);
	if (*missing < 0)
		return fail(FAILED, "out of memory");
	if (*missing)
		return DONE;
	if (!change->dry)
		release_sources(balancer, running, wanted);
	status = settle_backends(balancer, change, wanted, lookups);
	if (!status)
		status = write_config(balancer, running, wanted, change->dry);
	return status || change->dry ? status : write_own(balancer, wanted);
}

enum status change_balancer(struct balancer *balancer, const struct change *change)
{
	struct hop_lookups lookups = { .anew = change->anew };
	struct configuration running, wanted;
	enum status status;
	int missing;

	do {
		missing = 0;
		config_init(&running);
		config_init(&wanted);
		status = lock_balancer(balancer);
		if (!status)
			status = attempt(balancer, change, &lookups, &running, &wanted, &missing);
		unlock_balancer(balancer);
		if (!status && missing)
			status = resolve_next_hops(&lookups, balancer);
		else if (!status && change->report)
			change->report(balancer, change->request, &running, &wanted);
		config_free(&running);
		config_free(&wanted);
	} while (!status && missing);
	free(lookups.lookup);
	return status;
}

enum status run_change(const struct change *change)
{
	struct balancer balancer;
	enum status status;

	options.selection.is_for_change = !change->dry;
	status = open_balancer(&options.selection, &balancer);
	if (status)
		return status;
	status = change_balancer(&balancer, change);
	close_balancer(&balancer);
	return status;
}

enum status open_and_load(struct balancer *balancer, struct configuration *config, bool with_denies)
{
	enum status status = open_balancer(&options.selection, balancer);

	if (status)
		return status;
	status = lock_balancer(balancer);
	if (!status)
		status = recover_config(balancer, config, with_denies, true);
	if (status) {
		close_balancer(balancer);
		return status;
	}
	unlock_balancer(balancer);
	return DONE;
}

void close_and_free(struct balancer *balancer, struct configuration *config)
{
	config_free(config);
	close_balancer(balancer);
}
