/* SPDX-License-Identifier: MIT
 * migrate.h - actors whose state changes its shape. */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "table.h"

/* The owner, between two of its messages: a gets the newest shape of its type. */
void migrate_actor(struct actor *a);
/* Stands in each place of a type that is followed: moves the actor, then does what is there now. */
int  migrate_first(actor *self, const msg *m);
/* All actors of t are told to go over now. */
void migrate_tell(const struct type *t);

#endif
