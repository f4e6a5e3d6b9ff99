/* SPDX-License-Identifier: MIT
 * crashes.h - reports of failures, for `actorctl crash`. Any thread. */
#ifndef CRASHES_H
#define CRASHES_H

#include "core.h"

void crashes_list(struct buf *out);     /* appends a list of maps, the newest last */
/* Appends a map. 0, or ACTOR_ENOENT with why. */
int crashes_show(int64_t number, struct buf *out, struct why *why);

#endif
