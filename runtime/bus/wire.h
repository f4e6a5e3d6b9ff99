/* SPDX-License-Identifier: MIT
 * wire.h - what the bus speaks to: one Redis (link.h) or a Cluster (cluster.h). The loop's
 * thread. */
#ifndef WIRE_H
#define WIRE_H

#include "link.h"
#include "topic.h"

struct wire;
struct wire *wire_new(struct loop *l, const struct link_config *c, const struct link_events *e,
                      void *arg);
void wire_free(struct wire *w);
bool wire_up(const struct wire *w);
const struct redis_port *wire_port(struct wire *w, enum link_lane lane);
/* See link_url(); a Cluster's: of one of its masters. */
bool wire_url(const struct wire *w, struct buf *out);
const char *wire_warning(const struct wire *w);         /* see link_warning() */
size_t wire_unsent(const struct wire *w);
/* Ends what waits on this lane; fn may be told 0: nothing waits there yet. */
void wire_unblock(struct wire *w, enum link_lane lane, redis_fn *fn, void *arg);
enum { WIRE_WORDS_MOST = 512 };
/* A command all of whose words are texts, so many at most; see redis_port. */
int wire_words(const struct redis_port *port, redis_fn *fn, void *arg, int argc,
               const char **argv);
void wire_subscribe(struct wire *w, bool on, int n, const char **names, const size_t *len);
/* All that are hosted. */
void wire_subscribe_all(struct wire *w, bool on, const struct topics *topics);
bool wire_read_channels(struct wire *w);
/* See link_catch_up(). */
void wire_catch_up(struct wire *w);
int64_t wire_beat(struct wire *w);

#endif
