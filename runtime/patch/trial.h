/* SPDX-License-Identifier: MIT
 * trial.h - a source is compiled in a process of its own first: what crashes the compiler, or makes
 * it loop, does so there. */
#ifndef TRIAL_H
#define TRIAL_H

#include "tester.h"

/* One thread at a time, all of them. */
int  trial_start(struct why *why);
/* Gives. NULL with the diagnostics said: the source is refused. The process is replaced after
 * whatever ended it. */
struct program *trial_compile(const struct source *s, struct buf *said);
/* Did the compiler come through, whatever it said? */
bool trial_survived(const struct source *s, struct buf *said);
/* Between two sources: what the next one needs is made now. */
void trial_ready(void);
void trial_stop(void);

#endif
