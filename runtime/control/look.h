/* SPDX-License-Identifier: MIT
 * look.h - looking at one actor, which is asked what only it knows of itself. The thread of the one
 * that looks, which hears the answers by its handler `looked`. */
#ifndef LOOK_H
#define LOOK_H

#include "portrait.h"

struct looks { const struct control_sources *sources; void *tree; };    /* sources: borrowed */

/* caller gets portrait_actor()'s map, or a refusal. Takes caller. */
void look_begin(struct looks *l, actor *self, actor_ref who, msg_caller caller);
bool look_came(struct looks *l, actor *self, const msg *m);     /* false: nothing was asked */
void looks_fini(struct looks *l);

#endif
