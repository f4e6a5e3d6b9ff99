/* SPDX-License-Identifier: MIT
 * timer.h - deadlines: a hierarchical wheel of milliseconds. No thread and no lock of its own.
 *
 * Setting and cancelling take constant time, and a tick touches only what is due in it or what
 * moves one wheel down, so a million pending timers cost a tick no more than a thousand.
 * Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 6. */
#ifndef TIMER_H
#define TIMER_H

#include "base.h"

/* 64^6 ms: two years; what is further comes round again */
enum { TIMER_LEVELS = 6, TIMER_SLOTS = 64 };

struct timer_link { struct timer_link *next, *prev; };

struct timer {          /* inside what it belongs to; zeroed: not set */
	struct timer_link link;                 /* first, so that a link is its timer */
	int64_t due_ms;
};

struct timers {
	int64_t now_ms;                         /* everything due up to here has been taken */
	uint64_t full[TIMER_LEVELS];            /* a bit a slot that is not empty */
	struct timer_link slot[TIMER_LEVELS][TIMER_SLOTS];      /* rings, oldest first */
	uint32_t count;
	/* timers moved down or taken: what the ticks have cost */
	uint64_t touched;
};

void timers_init(struct timers *t, int64_t now_ms);
/* A deadline in the past is due at the next tick. */
void timer_set(struct timers *t, struct timer *x, int64_t due_ms);
void timer_clear(struct timers *t, struct timer *x);    /* fine when it is not set */
static inline bool timer_is_set(const struct timer *x) { return x->link.next != NULL; }
/* Takes one that is due by now_ms, in the order of their deadlines and, of one deadline, in the
 * order they were set; NULL when there is none (left). */
struct timer *timers_take(struct timers *t, int64_t now_ms);
/* When to look again: not later than the first deadline; INT64_MAX when none is set. */
int64_t timers_next(const struct timers *t);

#endif
