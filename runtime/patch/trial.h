/* SPDX-License-Identifier: MIT
 * trial.h - a source is compiled in a process of its own first: what crashes the compiler, or makes
 * it loop, does so there. */
#ifndef TRIAL_H
#define TRIAL_H

#include "compile.h"

/* What the trial's process has for itself; it is ended beyond that. */
enum {
	TRIAL_CPU_MS   = 1000,          /* a source */
	TRIAL_WALL_MS  = 10000,
	TRIAL_STACK    = COMPILE_STACK, /* less than the compile thread's, so that it holds there */
	TRIAL_MEMORY   = 1 << 30,       /* of address space */
	TRIAL_ROOM     = 4 << 20,       /* what is larger is compiled once more, in process */
};

/* One thread at a time, all of them. */
int  trial_start(struct why *why);
/* Gives. NULL with the diagnostics said: the source is refused. The process is replaced after
 * whatever ended it. */
struct program *trial_compile(const struct source *s, struct buf *said);
/* Did the compiler come through, whatever it said? */
bool trial_survived(const struct source *s, struct buf *said);
void trial_stop(void);

#endif
