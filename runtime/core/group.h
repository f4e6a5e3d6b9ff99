/* SPDX-License-Identifier: MIT
 * group.h - groups of actors, by name: what is published goes to all, what is picked is one. The
 * functions are in actor.h and core.h.
 *
 * A member is an incarnation and a handler's name. The members of a group are a list that only
 * grows at its end, so publishing reads what was there when it looked, without a lock. Who has left
 * or ended is passed over, and dropped when the list is made anew. */
#ifndef GROUP_H
#define GROUP_H

#include "send.h"

/* The handler that self is a member of the group with, interned; NULL: it is none. */
const char *group_then(actor *self, const char *group);

#endif
