/* SPDX-License-Identifier: MIT
 * contain.h - handlers of compiled code: they run guarded, and a fault in one is a message that
 * failed. */
#ifndef CONTAIN_H
#define CONTAIN_H

#include "ask.h"

/* e->code is not NULL: runs its handler. What the handler returned, or ACTOR_EFAIL: the caller, if
 * there was one, has been told, else w->failure says why. */
int  contain_handler(struct worker *w, struct actor *a, struct msg *m, const struct entry *e);
/* The same for a function without a message: start, stop, a patch's process. code NULL: just calls
 * it. */
int contain_call(actor *self, void *fn, const struct code *code, const char *what, struct why *why);
/* And for one that makes a state, `to`, of another shape. */
int contain_move(actor *self, int (*fn)(const void *, void *), const void *from, void *to,
		 const struct code *code, struct why *why);
/* m as it was to begin with waits at the gate (hold.h), for whatever handler of that name is in
 * force when it opens. False: it cannot. */
bool contain_wait(struct worker *w, struct actor *a, struct msg *m, const struct entry *e);
/* The watch, once a tick: a worker of the pool; all homes. */
void contain_watch(struct worker *w, int64_t now_ns);
void contain_watch_homes(int64_t now_ns);
/* Some home is inside compiled code: the watch must not sleep. It is stirred when one enters. */
bool contain_homes(void);
extern void (*contain_stir)(void);

#endif
