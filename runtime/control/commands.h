/* SPDX-License-Identifier: MIT
 * commands.h - the actor `node`: actorctl's commands are its handlers. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "glance.h"
#include "loop/loop.h"

struct commands;
/* Makes the actor of that name on that home. Borrows sources->node. */
struct commands *commands_new(struct home *home, const char *name,
                              const struct control_sources *sources, struct why *why);
void commands_ready(struct commands *n);        /* the home's thread */
void commands_free(struct commands *n);         /* when no handler runs any more */

#endif
