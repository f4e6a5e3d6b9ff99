/* SPDX-License-Identifier: MIT
 * sentinel.h - which Redis is the master just now, by the Sentinels that watch it. The loop's
 * thread. */
#ifndef SENTINEL_H
#define SENTINEL_H

#include "loop.h"
#include "url.h"

struct master { char host[256]; int port; };    /* port 0: none is known */

struct sentinel;
/* Asks on and on, on a thread of its own. news: it is another master, or there is none any more;
 * or what keeps it from being known is another reason. NULL with why. */
struct sentinel *sentinel_new(struct loop *l, const struct url *u, void (*news)(void *arg),
                              void *arg, struct why *why);
void sentinel_free(struct sentinel *s);         /* waits for its thread, two seconds at most */
const struct master *sentinel_master(const struct sentinel *s);
const char          *sentinel_reason(const struct sentinel *s); /* why none is known */

#endif
