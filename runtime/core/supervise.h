/* SPDX-License-Identifier: MIT
 * supervise.h - how actors end, and who of them begins again. */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "life.h"
#include "tie.h"

/* Owner, between two messages, a->stopping is set; what was taken and not handled is in
 * a->q. True: go on (it lives again, or there are orders); false: it is gone or parked, and
 * not to be touched. */
bool supervise_end(struct worker *w, struct actor *a);
/* Does it begin again after what has ended it? */
bool supervise_again(const struct actor *a);
/* It has no children, and nobody watches it: life_bury() is all there is to do. */
static inline bool supervise_plain(const struct actor *a)
{
	return !a->kin && (LOAD(&a->stopping) == END_TOLD || !supervise_again(a));
}
/* Owner: an order that is meant for a. */
void supervise_order(struct worker *w, struct actor *a, const struct msg *m);
/* Is m, which names another generation than a's, meant for a still? */
bool supervise_meant(const struct actor *a, const struct msg *m);
/* As life_bury(), and who watches it is told. */
void supervise_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep);
void supervise_open(void);                      /* the node starts: nothing has failed yet */
void supervise_close(void);                     /* the node stops: nobody begins again */

#endif
