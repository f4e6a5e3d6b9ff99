/* SPDX-License-Identifier: MIT
 * tie.h - links and monitors: who is told when an actor's incarnation ends. */
#ifndef TIE_H
#define TIE_H

#include "kin.h"
#include "send.h"

/* Owner: an order of its kind (FN_MONITOR to FN_EXIT) for a. */
void tie_order(struct worker *w, struct actor *a, const struct msg *m);
/* Owner: this incarnation of a has ended. Whoever wanted to know is told. */
void tie_end(struct worker *w, struct actor *a, bool failed);
/* Owner: the handler for what FN_DOWN brings; the monitor is done. NULL: it was taken back. */
const char *tie_down(struct actor *a, int64_t number);

#endif
