// SPDX-License-Identifier: GPL-2.0
/* backend add, set, drain, down, up, del */
#include <string.h>

#include "cmd/backend.h"
#include "lib/text.h"

static bool parse_backend(struct words *words, struct request *request, bool with_backup)
{
	struct option backend_options[] = {
		{ "weight", parse_weight, &request->weight, false },
		{ "mac", parse_mac, request->mac, false },
		{ "backup", NULL, &request->is_backup, false },
	};

	if (!take_vip_and_real(words, request) ||
	    !parse_options(words, backend_options, with_backup ? 3 : 2))
		return false;
	request->has_mac = backend_options[1].given;
	return true;
}

bool parse_backend_add(struct words *words, struct request *request)
{
	return parse_backend(words, request, true);
}

static bool parse_health(const char *word, __u32 *health)
{
	*health = !strcmp(word, "ok") ? HEALTH_OK : HEALTH_FAILING;
	if (!strcmp(word, "ok") || !strcmp(word, "failing"))
		return true;
	fail(WRONG, "'%.100s': expected ok or failing", word);
	return false;
}

bool parse_backend_health(struct words *words, struct request *request)
{
	const char *word;

	if (!take_vip_and_real(words, request))
		return false;
	word = next_word(words, "ok or failing");
	return word && parse_health(word, &request->health) && no_more_words(words);
}

bool parse_backend_set(struct words *words, struct request *request)
{
	if (!parse_backend(words, request, false))
		return false;
	if (!request->weight && !request->has_mac)
		fail(WRONG, "expected weight or mac at the end");
	return request->weight || request->has_mac;
}

/* What the service's mode does not allow. */
static enum status check_real(const struct config_service *service, const struct endpoint *real)
{
	struct text name = text_of_real(real);
	bool same_family = is_ipv4(&service->vip.address) == is_ipv4(&real->address);

	if (service->mode == MODE_USER)
		return fail(WRONG, "%s: mode user has no backends, its packets go to a program",
			    name.s);
	if (same_address(&service->vip.address, &real->address))
		return fail(WRONG, "%s is the service's own address", name.s);
	if (service->mode != MODE_IPIP && !same_family)
		return fail(WRONG, "%s is not IPv%c like %s (mode %s)", name.s,
			    is_ipv4(&service->vip.address) ? '4' : '6',
			    text_of_vip(&service->vip).s, mode_name(service->mode));
	if ((service->mode == MODE_DSR || service->mode == MODE_IPIP) && real->port)
		return fail(WRONG,
			    "%s has a port, but mode %s leaves ports as they are: give the address "
			    "alone",
			    name.s, mode_name(service->mode));
	if (service->mode == MODE_DNAT && service->vip.port == ANY_PORT && real->port)
		return fail(WRONG,
			    "%s has a port, but answers to any port cannot be told by it (mode "
			    "dnat): give the address alone",
			    name.s);
	return DONE;
}

/*
 * Whether what a backend sends could be an answer of either service (mode dnat). One of any port
 * may share a backend with one of its own VIP that leaves the port as it is.
 */
static bool takes_answers(const struct config_service *service, const struct config_service *other,
			  const struct real_key *key, const struct real_key *theirs)
{
	if (!same_address(&key->address, &theirs->address) || key->protocol != theirs->protocol)
		return false;
	if (key->port == theirs->port)
		return true;
	if (key->port != ANY_PORT && theirs->port != ANY_PORT)
		return false;
	return !same_address(&service->vip.address, &other->vip.address) ||
	       (key->port != service->vip.port || theirs->port != other->vip.port);
}

/* Mode dnat: an answer is known by its source alone, so no two services can have it. */
static enum status check_answers(const struct configuration *config,
				 const struct config_service *service, const struct endpoint *real)
{
	struct config_backend backend = { .real = *real };
	struct real_key key, theirs;

	real_key(service, &backend, &key);
	for_each_service(other, config) {
		for (unsigned int j = 0; j < other->count && other->mode == MODE_DNAT; j++) {
			real_key(other, &other->backends[j], &theirs);
			if (other != service && takes_answers(service, other, &key, &theirs))
				return fail(FAILED,
					    "%s is already a backend of %s: in mode dnat what it "
					    "sends from there belongs to one service",
					    text_of_real(real).s, text_of_vip(&other->vip).s);
		}
	}
	return DONE;
}

/* The backend that `real` is: without a port it is the same as with the service's own. */
static const struct config_backend *find_same(const struct config_service *service,
					      const struct endpoint *real)
{
	const struct config_backend *found = backend_find(service, real);
	struct endpoint other = *real;

	if (found || service->vip.port == ANY_PORT ||
	    (real->port && real->port != service->vip.port))
		return found;
	other.port = real->port ? 0 : service->vip.port;
	return backend_find(service, &other);
}

static void give_mac(struct config_backend *backend, const struct request *request)
{
	backend->mac_given = true;
	backend->is_pending = true;
	memset(&backend->hop, 0, sizeof(backend->hop));
	memcpy(backend->hop.mac, request->mac, sizeof(backend->hop.mac));
}

enum status add_backend(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);
	const struct config_backend *same;
	struct config_backend *backend;
	enum status status;

	if (!service)
		return FAILED;
	status = check_real(service, &request->real);
	if (status)
		return status;
	if (source_find(config, &request->real.address))
		return fail(FAILED, "%s is a source", text_of_address(&request->real.address).s);
	same = find_same(service, &request->real);
	if (same)
		return fail(FAILED, "%s is already a backend of %s%s%s",
			    text_of_real(&request->real).s, text_of_vip(&request->vip).s,
			    same->real.port == request->real.port ? "" : ", as ",
			    same->real.port == request->real.port ? "" :
								    text_of_real(&same->real).s);
	if (service->mode == MODE_DNAT) {
		status = check_answers(config, service, &request->real);
		if (status)
			return status;
	}
	backend = backend_insert(service, &request->real);
	if (!backend)
		return fail(FAILED, "out of memory");
	if (request->weight)
		backend->weight = request->weight;
	backend->is_backup = request->is_backup;
	backend->said_at = request->said_at;
	backend->is_pending = true;
	if (request->has_mac)
		give_mac(backend, request);
	return DONE;
}

/* Finds the backend of the request, after its words are checked against the service's mode. */
static enum status need_backend(struct configuration *config, const struct request *request,
				struct config_service **service, struct config_backend **backend)
{
	enum status status;

	*service = config_need(config, &request->vip);
	if (!*service)
		return FAILED;
	status = check_real(*service, &request->real);
	if (status)
		return status;
	*backend = backend_need(*service, &request->real);
	return *backend ? DONE : FAILED;
}

enum status set_backend(struct configuration *config, const struct request *request)
{
	struct config_service *service;
	struct config_backend *backend;
	enum status status = need_backend(config, request, &service, &backend);

	if (status)
		return status;
	if (request->weight)
		backend->weight = request->weight;
	if (request->has_mac)
		give_mac(backend, request);
	return DONE;
}

static enum status set_state(struct configuration *config, const struct request *request,
			     enum state state)
{
	struct config_service *service;
	struct config_backend *backend;
	enum status status = need_backend(config, request, &service, &backend);

	if (!status)
		backend->state = state;
	return status;
}

enum status drain_backend(struct configuration *config, const struct request *request)
{
	return set_state(config, request, STATE_DRAINING);
}

enum status down_backend(struct configuration *config, const struct request *request)
{
	return set_state(config, request, STATE_DOWN);
}

enum status up_backend(struct configuration *config, const struct request *request)
{
	return set_state(config, request, STATE_UP);
}

enum status set_health(struct configuration *config, const struct request *request)
{
	struct config_service *service;
	struct config_backend *backend;
	enum status status = need_backend(config, request, &service, &backend);

	if (!status)
		backend->health = request->health;
	return status;
}

enum status delete_backend(struct configuration *config, const struct request *request)
{
	struct config_service *service;
	struct config_backend *backend;
	enum status status = need_backend(config, request, &service, &backend);

	if (!status)
		backend_remove(service, backend);
	return status;
}
