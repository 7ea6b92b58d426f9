/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_STATS_H
#define CMD_STATS_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"
#include "model/snapshot.h"

bool parse_stats(struct words *words, struct request *request);
enum status show_stats(struct view *view, const struct request *request);
/* The counters of the view's services, or (seconds > 0) their rates over that time. `is_of_one`:
 * all packets are those of the one service. */
void print_reading(const struct view *view, const struct reading *reading, bool is_of_one,
		   double seconds);
/* Makes `now` the difference to `before`. */
void subtract_reading(struct reading *now, const struct reading *before,
		      const struct config_service *services, unsigned int count);
enum status zero_stats(struct balancer *balancer, const struct request *request);

#endif
