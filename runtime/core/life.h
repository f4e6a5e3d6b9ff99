/* SPDX-License-Identifier: MIT
 * life.h - an actor's birth, start, end. */
#ifndef LIFE_H
#define LIFE_H

#include "ask.h"
#include "kin.h"

/* Sets the home of a new actor whose type says where it runs; NULL: the pool. Negative with why. */
extern int (*life_place)(struct actor *a, struct why *why);
struct birth {
	uint8_t home;                   /* HOME_POOL or a home's number */
	struct actor *parent;           /* owned by this thread; NULL: the node */
	/* of the message `init`; n 0: none */
	const char *types; const uint64_t *values; int n;
};
int  life_spawn(const struct spawn *s, const struct birth *b, actor_id *id, struct why *why);
void life_start(struct worker *w, struct actor *a);     /* owner: its first message */
/* Owner, where an incarnation ends: calls stop if it was started. */
void life_stop(struct worker *w, struct actor *a);
/* Owner: the next incarnation, in the same cell under the same name. Not started yet. */
void life_renew(struct actor *a);
/* The message that follows start, made anew; NULL: none. */
struct msg *life_init(struct worker *w, struct actor *a);
/* Owner, at the end of a handler: calls stop, gives up what it waited for, answers what is in the
 * mailbox (queue: taken, not handled; keep: hangs there, but is the caller's; 0: none), frees the
 * cell, or gives it to its parent. */
void life_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep);
const char *life_title(const struct actor *a);          /* its name, or its type's */
/* frees what msg_values() gave and was not sent */
void life_drop_outs(struct worker *w);
bool life_has_out(const struct worker *w, const struct msg_out *o);     /* is it one of these? */

#endif
