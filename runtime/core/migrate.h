/* SPDX-License-Identifier: MIT
 * migrate.h - actors whose state changes its shape. */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "table.h"

/* The owner, between two of its messages: a gets the newest shape of its type, or rehearses. */
void migrate_actor(struct actor *a);
/* Stands in each place of a type that is followed: moves the actor, then does what is there now. In
 * each place of one whose actors rehearse: what comes waits at the gate. */
int  migrate_first(actor *self, const msg *m);
/* All actors of t are told to go over now. */
void migrate_tell(const struct type *t);

/* Whether the actors of a type can go over to next. Freed by mem_free(), when no turn can be inside
 * that has begun while it was its type's. */
struct passage *passage_new(const struct type *next);
/* Tells t's actors, and waits for what they find. 0, or negative with why: one cannot, or is inside
 * a handler for too long. No worker. */
int passage_await(struct passage *p, const struct type *t, struct why *why);

#endif
