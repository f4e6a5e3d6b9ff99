/* SPDX-License-Identifier: MIT
 * failover.h - whether a failover can lose what a Redis has acknowledged, and writes that it
 * cannot. The loop's thread. */
#ifndef FAILOVER_H
#define FAILOVER_H

#include "ports.h"
#include "url.h"

struct failover;
struct failover *failover_new(const struct url *u);     /* Sentinels', or a master of a Cluster */
void failover_free(struct failover *f);         /* after its writes were answered */
/* What Redis says of itself: INFO replication, CONFIG GET min-replicas-*; or an error,
 * of which one that is no refusal changes nothing. */
void failover_see_replicas(struct failover *f, const struct redis_reply *r);
void failover_see_least(struct failover *f, const struct redis_reply *r);
bool failover_may_ask(const struct failover *f);        /* again: neither was refused */
/* See redis_port's sure. Borrows port. f: NULL is fine. */
int failover_write(struct failover *f, const struct redis_port *port, redis_fn *fn, void *arg,
                   int argc, const char **argv, const size_t *len);
const char *failover_warning(const struct failover *f); /* what the operator should set; or "" */

#endif
