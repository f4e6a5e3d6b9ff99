/* SPDX-License-Identifier: MIT
 * rounds.h - reading from keys of several slots of a Redis Cluster, which lets nobody wait on more
 * than one. The loop's thread. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "loop.h"
#include "ports.h"

struct rounds;
/* Its port takes BLMPOP, BLPOP and XREADGROUP of any keys, one at a time; all else is for `port`.
 * pause_ms: between two rounds in which no key had anything, at most. */
struct rounds *rounds_new(struct loop *l, const struct redis_port *port, int pause_ms);
void rounds_free(struct rounds *r);     /* answers what waits with REDIS_GONE */
const struct redis_port *rounds_port(struct rounds *r);
void rounds_stop(struct rounds *r);     /* what waits ends soon, with what came or with nil */
void rounds_down(struct rounds *r);     /* what waits is answered with REDIS_GONE */

#endif
