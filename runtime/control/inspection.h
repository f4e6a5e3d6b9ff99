/* SPDX-License-Identifier: MIT
 * inspection.h - an actor is inspected: it is asked what only it knows of itself. The thread of the
 * one that inspects, which hears the answers by its handler `looked`. */
#ifndef INSPECTION_H
#define INSPECTION_H

#include "portrait.h"

/* Those under way; begins with a tree of NULL. sources: borrowed. */
struct inspections { const struct control_sources *sources; void *tree; };

/* caller gets portrait_actor()'s map, or a refusal. Takes caller. */
void inspection_begin(struct inspections *all, actor *self, actor_ref who, msg_caller caller);
/* An answer: false: nothing was asked that it answers. */
bool inspection_came(struct inspections *all, actor *self, const msg *m);
void inspections_fini(struct inspections *all);

#endif
