/* SPDX-License-Identifier: MIT
 * control.h - the Unix socket of actorctl, on the I/O loop. */
#ifndef CONTROL_H
#define CONTROL_H

#include "loop.h"

/* Listens at path (mode 0600; a stale socket is taken over; a live one: NULL with why "... a runtime is already running").
 * Speaks the message schema of envelope.h, one JSON message a line each way. Calls go to any actor and handler, with
 * origin FROM_CONTROL; the commands themselves are handlers of the actor `node`. */
struct control;
struct control *control_new(struct loop *l, const char *path, struct why *why);
void control_free(struct control *c);   /* removes the socket */

#endif
