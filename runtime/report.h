/* SPDX-License-Identifier: MIT
 * report.h - what the node says of Redis, of its clients and of its patches. */
#ifndef REPORT_H
#define REPORT_H

#include "bus/bus.h"
#include "gateway/gateway.h"

/* Append to b a pair of a map: that name, with a map of its own. */
void report_redis(struct buf *b, const char *kind, const struct bus_info *i);   /* "redis" */
void report_warnings(struct buf *b, const struct bus *bus);
void report_clients(struct buf *b, struct gateway *g);                          /* "clients" */
/* Pairs of the map of the memory by owner; how many. */
unsigned report_memory(struct buf *b, const struct gateway *g, const struct bus *bus);
void report_patches(struct buf *b);                                             /* "patches" */

/* Why what comes by Redis is not taken; NULL: it is, or there is no Redis. Any thread. */
const char *report_trouble(const struct bus *bus);
const char *report_redis_state(const struct bus *bus);  /* none, away, up; any thread */
void report_redis_metrics(struct buf *b, bool connected, struct bus_info i);
void report_patch_metrics(struct buf *b);
/* As bus_nodes(), also for a node that has no bus. *but: what to know of it besides, or not. */
unsigned report_nodes(struct buf *out, const struct bus *bus, const char *node, const char **but);
/* One packed list of texts: the patches in force, for other nodes to see. arg is not used. */
void report_in_force(void *arg, struct buf *out);

#endif
