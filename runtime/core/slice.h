/* SPDX-License-Identifier: MIT
 * slice.h - how soon the kernel lets a thread run that has just woken.
 *
 * Linux (6.12 and later) lets a woken thread go before one that runs if its slice is the shorter
 * one; else it waits for the tick, up to 4 ms. So what answers (the loops, the watch, a worker
 * that was parked) asks for a short slice, and a worker that has been busy for a while for a long
 * one: it is interrupted more readily, and then goes on for longer. Older kernels take no notice;
 * where it is not allowed all goes on as before. No state of its own; any thread. */
#ifndef SLICE_H
#define SLICE_H

#include <sys/types.h>

enum { SLICE_PROMPT_US = 100, SLICE_LONG_US = 20000 };

/* tid: of this process; 0: the calling thread. Its priority (nice) stays. */
void slice_set(pid_t tid, unsigned us);
/* The calling thread: a short slice, and timers that are not put off. */
void slice_prompt(void);

#endif
