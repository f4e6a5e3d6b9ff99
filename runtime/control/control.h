/* SPDX-License-Identifier: MIT
 * control.h - the Unix socket of actorctl, on the I/O loop, and the actor `node`, whose
 * handlers are actorctl's commands. Both live on the I/O home: they answer while every
 * worker is stuck.
 *
 * On the socket: the message schema of envelope.h, one JSON message a line each way,
 * answers in any order by id. Calls go to any actor and handler, with origin FROM_CONTROL. */
#ifndef CONTROL_H
#define CONTROL_H

#include "commands.h"

struct control;

/* Listens at path, or at the default place where path is NULL (path.h; a folder under /tmp
 * is made 0700 and its owner checked). Mode 0600; a stale socket is taken over; NULL with
 * why: a runtime is already running there, no socket stands there, the folder is not ours
 * or not writable. sources: see commands.h; copied. Loop's thread. */
struct control *control_new(struct loop *l, const char *path, const struct control_sources *sources,
                            struct why *why);
const char *control_path(const struct control *c);      /* the real one, for the ready line */
/* The node serves from now on: `ready` answers whoever has been waiting. Loop's thread. */
void control_ready(struct control *c);
/* Disconnects all, removes the socket, frees. Loop's thread; after core_stop(). NULL is fine. */
void control_free(struct control *c);

#endif
