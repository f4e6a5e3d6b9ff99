/* SPDX-License-Identifier: MIT
 * deadline.h - the wheels that all actors' deadlines lie in, each under a lock. They know
 * numbers, not records: what is due becomes a message of the core's own to the actor.
 *
 * A question's number carries its deadline, so that whoever is asked can see that the asker
 * has given up:   | 0 | due:20, in ms | serial:27 | place:16 | It is compared with a moment
 * that has passed for sure (of the last question or deadline anywhere), so nothing is taken
 * for late too early; that it is late is forgotten after PASSED_MS. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include "post.h"

enum { DUE_SHIFT = 43, DUE_MASK = 0xfffff, PASSED_MS = 1 << 17, CARRIED_MS = 900000 };

struct timer_entry;

extern _Atomic int64_t deadline_seen;   /* ms: it is later than that */

/* The moment ms from now, not a bit early. */
int64_t deadline_in(int64_t ms);
static inline uint64_t deadline_bits(int64_t due_ms, int64_t ms) /* 0: too far away to be told */
{
	return ms > CARRIED_MS ? 0
	                       : (uint64_t)(due_ms & DUE_MASK ? due_ms & DUE_MASK : 1) << DUE_SHIFT;
}
static inline bool deadline_passed(uint64_t number)
{
	uint64_t due = number >> DUE_SHIFT;

	return due && (((uint64_t)LOAD(&deadline_seen) - due) & DUE_MASK) < PASSED_MS;
}

/* fn: the message that comes. clocked: it is to come, too, when somebody has set the wall
 * clock. Gives. */
struct timer_entry *deadline_set(actor *self, int64_t number, uint16_t fn, int64_t due_ms,
                                 bool clocked);
/* An order (post.h) to self, if this generation is still there then. */
void deadline_order(actor *self, uint16_t fn, int64_t ms);
void deadline_again(struct timer_entry *e, int64_t due_ms);     /* one that has come */
void deadline_clear(struct timer_entry *e);                     /* takes; NULL is fine */
int64_t deadline_left(const struct timer_entry *e);     /* ms; NULL: 0 */
void deadline_init(int workers);

#endif
