/* SPDX-License-Identifier: MIT
 * users.h - who is logged in on this node, by name, whichever thread its connection lives on. Any
 * thread, as is all here. */
#ifndef USERS_H
#define USERS_H

#include "visit.h"

/* s is there from now on, by its name and once, unless the policy forbids it: false. Those who have
 * to go because of it are appended to `others`, as struct user_place. */
struct user_place { actor_id session; struct sessions *here; };
bool     users_enter(struct session *s, enum same_user policy, struct buf *others);
void     users_leave(struct session *s);        /* nothing where it is not */
unsigned users_count(void);                     /* names */
unsigned users_named(const char *name);         /* sessions of that name */
/* Those of that name who live here, as pointers; only for here's own thread. */
void     users_here(const char *name, const struct sessions *here, struct buf *out);

#endif
