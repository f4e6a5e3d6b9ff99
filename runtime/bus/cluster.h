/* SPDX-License-Identifier: MIT
 * cluster.h - a Redis Cluster, as if its masters were one Redis. The loop's thread. */
#ifndef CLUSTER_H
#define CLUSTER_H

#include "link.h"

enum { CLUSTER_LATE_MS = 16 };

struct cluster;
/* As a link (link.h), but:
 * - a command goes to the master that has its key, and follows MOVED and ASK; all keys of one must
 *   share a slot;
 * - PUBLISH is answered with the number of those who hear it at any master;
 * - what is read from lists and streams of topics (LINK_LISTS, LINK_STREAMS, LINK_NEWS) is asked
 *   for again and again, as Redis lets nobody wait on several slots (rounds.h): so it comes
 *   CLUSTER_LATE_MS later, and more where there are hundreds of topics. */
struct cluster *cluster_new(struct loop *l, const struct link_config *config,
                            const struct link_events *e, void *arg);
void cluster_free(struct cluster *c);
bool cluster_up(const struct cluster *c);
const struct redis_port *cluster_port(struct cluster *c, enum link_lane lane);
size_t cluster_unsent(const struct cluster *c);
const char *cluster_warning(const struct cluster *c);
void cluster_stop(struct cluster *c, enum link_lane lane);      /* what waits there ends soon */
/* The link to the master whose channels are heard: what others are told reaches it, a moment later.
 * NULL: there is none now. */
struct link *cluster_channels(const struct cluster *c);

#endif
