/* SPDX-License-Identifier: MIT
 * hold.h - senders that wait: an actor that sends to a full mailbox whose type says FULL_HOLD is
 * not run until there is room. What found it full stays with the sender meanwhile.
 *
 * No circle of waiting can come about: who waits, or is going to, names whom in held_on, under one
 * lock; who would close a circle sees it there and is refused (ACTOR_EFULL) instead. */
#ifndef HOLD_H
#define HOLD_H

#include "worker.h"

/* In held_on, for the gate: no cell has that number. */
enum { HELD_AT_GATE = 0xffffffff };

void hold_init(void);                   /* orders to who is held make it ready */
/* A handler of self found `on` full. True: from now on what it sends there is kept back
 * (hold_keep). */
bool hold_begin(struct worker *w, struct actor *self, struct actor *on);
/* Keeps m back. 0, or ACTOR_EFULL: half a mailbox has been kept back already; m stays the caller's.
 */
int  hold_keep(struct worker *w, struct msg *m);
/* The gate: closed while what a message was for is taken back. m, which self has not handled (any
 * more), waits in front of what self has, and self with it, until it is open. Takes m. False: self
 * waits for room already. */
bool hold_at_gate(struct worker *w, struct actor *self, struct msg *m);
/* Nest; open: not by a worker. */
void hold_gate_close(void);
void hold_gate_open(void);
/* After the handler: what was kept back becomes self's, and is pushed if there is room. False: self
 * is held, belongs to whoever lets it go, and is not to be touched. */
bool hold_end(struct worker *w, struct actor *self);
/* self is let go: pushes what it kept back. False: held again. True with held_on: it is still, but
 * has orders to see to before. */
bool hold_again(struct worker *w, struct actor *self);
/* Room has come: makes ready as many of a's waiters as it is enough for. Anybody, most of all a's
 * owner. */
void hold_release(struct worker *w, struct actor *a);
/* self ends: what it kept back goes out whatever the limits; where more waits there than any type's
 * allow, to the dead letters. */
void hold_give_up(struct worker *w, struct actor *self);

#endif
