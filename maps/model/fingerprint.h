/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Digests by which balancers that should decide alike are compared. They are of what a service's
 * lines say, not of its bytes: numbers of VIPs, backends and tables differ between balancers, and
 * so does the order of commands. A digest is FNV-1a of 64 bits: against accidents, not attackers.
 */
#ifndef MODEL_FINGERPRINT_H
#define MODEL_FINGERPRINT_H

#include "model/config.h"

#define DIGEST_LENGTH 16 /* digits of a digest */

struct fingerprint {
	char configuration[DIGEST_LENGTH + 1]; /* which backend a flow gets while all are up */
	char live[DIGEST_LENGTH + 1]; /* the same with what is up, draining, down, out of reach */
};

struct fingerprint fingerprint_of(const struct configuration *config);

#endif
