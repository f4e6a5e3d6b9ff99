/* SPDX-License-Identifier: MIT
 * said.h - what a message says to somebody on another node, as parts of a frame. The thread of who
 * handles it. */
#ifndef SAID_H
#define SAID_H

#include "frame.h"

/* All append. m: what a proxy is handling: to:str what:str, then the values. */
/* The trace that m belongs to, or (m NULL) what is said at once. */
void said_trace(struct buf *out, const msg *m, const char *to, const char *what);
/* client: it is what a client has called itself. left_ms: as core_left_ms(). */
void said_send(struct buf *out, const msg *m, bool client);
void said_ask(struct buf *out, const msg *m, bool client, uint64_t number, int left_ms);
/* To the sessions that the user has there: they get what an actor here sent to it. */
void said_push(struct buf *out, const msg *m, const char *user);

#endif
