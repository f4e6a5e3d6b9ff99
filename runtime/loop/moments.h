/* SPDX-License-Identifier: MIT
 * moments.h - deadlines in microseconds, and a descriptor that says when one is due.
 * One thread at a time. */
#ifndef MOMENTS_H
#define MOMENTS_H

#include "timer.h"

struct moments {
	struct timers wheel;            /* of ticks; see moments.c */
	int fd;         /* becomes readable when something may be due: to be watched by edges */
	int64_t armed;                  /* it is set for this tick, or earlier */
};

int  moments_init(struct moments *s);   /* ACTOR_EFAIL with errno: no descriptor */
void moments_fini(struct moments *s);
/* Replaces what x was set to. Never early; late by a tick of 0.1 ms at most. */
void moments_set(struct moments *s, struct timer *x, int64_t us);
void moments_clear(struct moments *s, struct timer *x);
/* fd has told: takes what is due, one after the other. NULL: nothing (more), fd is set anew. */
struct timer *moments_take(struct moments *s);

#endif
