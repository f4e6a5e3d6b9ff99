/* SPDX-License-Identifier: MIT
 * timer.c - the wheel.
 *
 * Level l has 64 slots of 64^l ms each. A timer lies on the lowest level on which its deadline and
 * the present share all higher digits (in base 64). When the present enters a slot of a higher
 * level, what lies there moves down; what lies in a slot of level 0 is due in exactly that
 * millisecond. */
#include "timer.h"

enum { BITS = 6 };

static unsigned digit(int64_t ms, int level)
{
	return (unsigned)(ms >> (BITS * level)) & (TIMER_SLOTS - 1);
}

void timers_init(struct timers *t, int64_t now_ms)
{
	memset(t, 0, sizeof *t);
	t->now_ms = now_ms;
	for (int level = 0; level < TIMER_LEVELS; level++)
		for (int at = 0; at < TIMER_SLOTS; at++)
			t->slot[level][at].next = t->slot[level][at].prev = &t->slot[level][at];
}

static void put(struct timers *t, struct timer *x)
{
	uint64_t differ = (uint64_t)(x->due_ms ^ t->now_ms);
	int level = differ ? (63 - __builtin_clzll(differ)) / BITS : 0;
	unsigned at;
	struct timer_link *ring;

	if (level >= TIMER_LEVELS) {            /* on the last level, which goes round */
		level = TIMER_LEVELS - 1;
		if ((x->due_ms >> (BITS * level)) - (t->now_ms >> (BITS * level)) < TIMER_SLOTS)
			at = digit(x->due_ms, level);
		/* beyond the horizon: is looked at before it is due */
		else
			at = digit(t->now_ms, level) + TIMER_SLOTS - 1;
		at %= TIMER_SLOTS;
	} else {
		at = digit(x->due_ms, level);
	}
	ring = &t->slot[level][at];
	x->link = (struct timer_link){ ring, ring->prev };
	ring->prev->next = &x->link;
	ring->prev = &x->link;
	t->full[level] |= 1ull << at;
}

/* The ring's head is in the table, and the only link left: its slot is empty now. */
static void note_empty(struct timers *t, struct timer_link *head)
{
	size_t i = (size_t)(head - &t->slot[0][0]);

	t->full[i / TIMER_SLOTS] &= ~(1ull << i % TIMER_SLOTS);
}

void timer_set(struct timers *t, struct timer *x, int64_t due_ms)
{
	timer_clear(t, x);
	x->due_ms = due_ms > t->now_ms ? due_ms : t->now_ms + 1;
	put(t, x);
	t->count++;
}

void timer_clear(struct timers *t, struct timer *x)
{
	struct timer_link *next = x->link.next, *prev = x->link.prev;

	if (!next)
		return;
	prev->next = next;
	next->prev = prev;
	x->link.next = NULL;
	t->count--;
	if (next == prev)
		note_empty(t, next);
}

/* The next moment at which a slot, of whatever level, has something in it. */
static int64_t next_stop(const struct timers *t)
{
	int64_t best = INT64_MAX;

	for (int level = 0; level < TIMER_LEVELS; level++) {
		unsigned at = digit(t->now_ms, level);
		uint64_t turned =
			t->full[level] >> at | (at ? t->full[level] << (TIMER_SLOTS - at) : 0);
		int64_t width = (int64_t)1 << (BITS * level), ahead, stop;

		turned &= ~1ull;                        /* where we are has been emptied */
		if (!turned)
			continue;
		ahead = __builtin_ctzll(turned);
		stop = ((t->now_ms >> (BITS * level)) + ahead) * width;
		if (stop < best)
			best = stop;
	}
	return best;
}

static void move_down(struct timers *t)
{
	for (int level = TIMER_LEVELS - 1; level > 0; level--) {
		struct timer_link *ring = &t->slot[level][digit(t->now_ms, level)], *x = ring->next,
				  *next;

		if (x == ring)
			continue;
		ring->prev->next = NULL;
		ring->next = ring->prev = ring;
		note_empty(t, ring);
		for (; x; x = next) {
			next = x->next;
			t->touched++;
			put(t, (struct timer *)x);
		}
	}
}

struct timer *timers_take(struct timers *t, int64_t now_ms)
{
	for (;;) {
		struct timer_link *ring = &t->slot[0][digit(t->now_ms, 0)];
		int64_t stop;

		if (ring->next != ring) {
			struct timer *x = (struct timer *)ring->next;

			timer_clear(t, x);
			t->touched++;
			return x;
		}
		stop = t->count ? next_stop(t) : INT64_MAX;
		if (stop > now_ms) {
			if (t->now_ms < now_ms)
				t->now_ms = now_ms;
			return NULL;
		}
		t->now_ms = stop;
		move_down(t);
	}
}

int64_t timers_next(const struct timers *t)
{
	if (!t->count)
		return INT64_MAX;
	return t->full[0] >> digit(t->now_ms, 0) & 1 ? t->now_ms : next_stop(t);
}
