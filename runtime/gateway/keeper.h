/* SPDX-License-Identifier: MIT
 * keeper.h - the actor of one of the gateway's threads that does for the sessions there what others
 * ask: see keeper.c. */
#ifndef KEEPER_H
#define KEEPER_H

#include "session.h"

int keeper_setup(struct why *why);      /* once a process; negative with why */
int keeper_new(struct sessions *here, struct why *why);         /* sets here->keeper */

/* What the actor `clients` asks of each thread, on that thread: how many were told; how many of it
 * are in the room now; how many of that user are closed. */
unsigned keeper_say(struct sessions *here, const char *what, const char *name, const msg *m,
                    int first);
unsigned keeper_join(struct sessions *here, const char *room, actor_ref who);
unsigned keeper_leave(struct sessions *here, const char *room, actor_ref who);
/* All sessions of that user are in the room from now on; or none is. */
unsigned keeper_seat(struct sessions *here, const char *room, const char *user, bool in);
unsigned keeper_count(const struct sessions *here, const char *room);
unsigned keeper_close(struct sessions *here, const char *user, const char *reason);

#endif
