/* SPDX-License-Identifier: MIT
 * gather.h - what a trace has set off on all nodes, as one answer. The thread of the one that asks,
 * which hears the answers by its handler `trace_came`. */
#ifndef GATHER_H
#define GATHER_H

#include "glance.h"
#include "traces.h"

struct gathers { const struct control_sources *sources; void *tree; };  /* sources: borrowed */

/* caller gets a map: open, missed, events. Takes caller and what is in news. */
void gather_begin(struct gathers *g, actor *self, int64_t number, struct traces_news *news,
                  msg_caller caller);
bool gather_came(struct gathers *g, actor *self, const msg *m); /* false: nothing was asked */
void gathers_fini(struct gathers *g);

#endif
