/* SPDX-License-Identifier: MIT
 * claims.h - names that one node has for itself among all that share a Redis: a lease, and a token
 * that what the holder writes must bear. The loop's thread.
 *
 * Actors ask the actor `bus`:
 *   claim  name:str                                  answered by token:int; refused: who has it
 *   put    name:str token:int key:str value:str      refused when the token is not the last given
 *   get    name:str key:str                          answered by value:str
 *   release name:str token:int                       refused as put() is
 * A name has 1 to NAME_MAX_LEN bytes.
 * Who loses a claim is told by the group "claim lost" (name:str); but a node that was asleep hears
 * it late, so what counts is that put() is refused. */
#ifndef CLAIMS_H
#define CLAIMS_H

#include "loop.h"
#include "ports.h"

enum { CLAIMS_LEASE_MS = 3000, CLAIMS_RENEW_MS = 500 };

struct claims;
/* self: who is asked; all is borrowed. */
struct claims *claims_new(struct loop *l, actor *self, const struct redis_port *port,
                          const char *node);
void claims_free(struct claims *c);     /* when the link is freed */
/* At the stop: others may have what we hold. Again and again until true: Redis has heard it. */
bool claims_leave(struct claims *c);
/* m, which self is handling, asks `what`. False: that is none of these. */
bool claims_asked(struct claims *c, const msg *m, const char *what);

#endif
