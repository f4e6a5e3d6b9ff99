/* SPDX-License-Identifier: MIT
 * run.h - an actor's turn: its messages, one after the other, each through the table in force. */
#ifndef RUN_H
#define RUN_H

#include "ask.h"

/* Counts up twice a millisecond while anything runs: a turn ends when it changes. The scheduler's.
 */
extern _Atomic uint32_t run_tick;

/* a belongs to this thread: its top is not IDLE and it is in no queue. True: it has more to do and
 * must be made ready again; false: it is idle or gone, and not to be touched. Inside a turn of w
 * (worker.h). */
bool run_turn(struct worker *w, struct actor *a);
/* The same, with the turn begun and ended, and timed: who has no watch (watch.c). */
bool run_alone(struct worker *w, struct actor *a);
/* w's turn ends, and no other follows at once. */
void run_rest(struct worker *w);

#endif
