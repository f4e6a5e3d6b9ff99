/* SPDX-License-Identifier: MIT
 * life.h - an actor's birth, start, end. */
#ifndef LIFE_H
#define LIFE_H

#include "ask.h"

/* Sets the home of a new actor whose type says where it runs; NULL: the pool. Negative with why. */
extern int (*life_place)(struct actor *a, struct why *why);
/* home: HOME_POOL or a home's number. */
int  life_spawn(const struct spawn *s, uint8_t home, actor_id *id, struct why *why);
void life_start(struct worker *w, struct actor *a);     /* owner: its first message */
/* Owner, at the end of a handler: calls stop, gives up what it waited for, answers what is in the mailbox
 * (queue: taken, not handled; keep: hangs there, but is the caller's; 0: none), frees the cell. */
void life_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep);
const char *life_title(const struct actor *a);          /* its name, or its type's */
void life_drop_outs(struct worker *w);                  /* frees what msg_values() gave and was not sent */

#endif
