/* SPDX-License-Identifier: MIT
 * sweep.c - who is looked at when: a wheel of lists, one for each tick to come (the simple timing
 * wheel of Varghese and Lauck, 1987).
 *
 * What may happen to a connection is mostly far away, and gets farther with each message. So it is
 * not moved when it is heard of, but looked at when the earliest of all may have come, and put back
 * for then. (Looking at each twice a second was a tenth of what a message cost with 10,000
 * connections, most of it for a timer every 12 ms.) Who is due farther off than the wheel is large
 * is looked at once more on the way.
 * Invariant: whose tick has come is in `due`, all others are in the list of theirs. */
#include "sweep.h"

void sweep_init(struct sweep *s)
{
	for (int i = 0; i < SWEEP_TICKS; i++)
		list_init(&s->at[i]);
	list_init(&s->due);
	s->tick = 0;
}

void sweep_put(struct sweep *s, struct link *l, uint32_t ticks)
{
	uint32_t in = ticks < 1 ? 1 : ticks < SWEEP_TICKS ? ticks : SWEEP_TICKS - 1;

	list_add(&s->at[(s->tick + in) % SWEEP_TICKS], l);
}

struct link *sweep_next(struct sweep *s, uint32_t tick)
{
	uint32_t past = tick - s->tick < SWEEP_TICKS ? tick - s->tick : SWEEP_TICKS;
	struct link *l;

	for (uint32_t i = past; i--; )
		list_move(&s->due, &s->at[(tick - i) % SWEEP_TICKS]);
	s->tick = tick;
	l = s->due.next;
	if (l == &s->due)
		return NULL;
	list_remove(l);
	return l;
}

void sweep_all(const struct sweep *s, void (*fn)(struct link *))
{
	for (int i = 0; i <= SWEEP_TICKS; i++) {
		const struct link *list = i < SWEEP_TICKS ? &s->at[i] : &s->due;

		for (struct link *l = list->next; l != list; l = l->next)
			fn(l);
	}
}
