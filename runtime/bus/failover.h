/* SPDX-License-Identifier: MIT
 * failover.h - whether a failover can lose what Redis has acknowledged, and writes that it cannot.
 * The loop's thread. */
#ifndef FAILOVER_H
#define FAILOVER_H

#include "ports.h"
#include "url.h"

struct failover;
/* Borrows port, to which INFO and CONFIG go. */
struct failover *failover_new(const struct url *u, const struct redis_port *port);
void failover_free(struct failover *f);         /* after its port has answered all */
/* Asks, and says in the log what is wrong: whenever Redis is connected. */
void failover_check(struct failover *f);
/* As redis_later(), of a command that is answered by a text: but where a write is to have replicas
 * it is done when they have it, and an error (try again) where they do not. f: NULL is fine. */
int failover_write(struct failover *f, const struct redis_port *port, redis_fn *fn, void *arg,
                   int argc, const char **argv, const size_t *len);
const char *failover_warning(const struct failover *f);         /* what it found; "": nothing */

#endif
