/* SPDX-License-Identifier: MIT
 * run.h - an actor's turn: its messages, one after the other, each through the table in force. */
#ifndef RUN_H
#define RUN_H

#include "ask.h"

/* Counts up twice a millisecond while anything runs: a turn ends when it changes. The scheduler's.
 */
extern _Atomic uint32_t run_tick;

/* a belongs to this thread: its top is not IDLE and it is in no queue. True: it has more to do and
 * must be made ready again; false: it is idle or gone, and not to be touched. Begins and ends a
 * turn of w. */
bool run_turn(struct worker *w, struct actor *a);

#endif
