/* SPDX-License-Identifier: MIT
 * sweep.h - who is looked at when: see sweep.c. All on one thread. */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdint.h>

#include "list.h"

enum { SWEEP_TICKS = 64 };              /* power of two */

struct sweep { struct link at[SWEEP_TICKS], due; uint32_t tick; };

void sweep_init(struct sweep *s);        /* at tick 0 */
/* To be looked at in so many ticks from the last sweep_next(): 1, or more; at most SWEEP_TICKS - 1.
 * Borrows it until it is next, or was removed from its list. */
void sweep_put(struct sweep *s, struct link *l, uint32_t ticks);
/* One of those whose tick has come by `tick`, in no list any more; NULL: none is left. */
struct link *sweep_next(struct sweep *s, uint32_t tick);
/* Each of them, in no order. fn leaves the lists as they are. */
void sweep_all(const struct sweep *s, void (*fn)(struct link *l));

#endif
