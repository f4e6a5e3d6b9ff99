/* SPDX-License-Identifier: MIT
 * hold.c - who waits for room where.
 *
 * The waiters of a mailbox are a ring through link, under the one lock; waiters names the last.
 * Registering and letting go must not miss each other: who waits registers, then looks at the
 * mailbox again; its owner takes from the mailbox, then looks for waiters. Both sides are
 * sequentially consistent, so one sees the other. */
#include "hold.h"

#include <pthread.h>

#include "post.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool hold_begin(struct worker *w, struct actor *self, struct actor *on)
{
	const struct actor *x = on;

	if (w->hold_on || self == on)
		return false;
	pthread_mutex_lock(&lock);
	while (x && x != self) {
		uint32_t next = LOAD(&x->held_on);

		x = next ? cell_at(next) : NULL;
	}
	if (!x)
		STORE(&self->held_on, cell_index(on));
	pthread_mutex_unlock(&lock);
	if (x)
		return false;
	w->hold_on = on;
	w->kept = (struct chain){ 0 };
	return true;
}

int hold_keep(struct worker *w, struct msg *m)
{
	struct chain *kept = &w->kept;

	if (HEAD_COUNT(kept->weight) > LOAD(&w->hold_on->max_count) / 2)
		return ACTOR_EFULL;
	if (!kept->top)
		kept->last = msg_index(m);
	m->next = kept->top;
	kept->top = msg_index(m);
	kept->weight += HEAD_WEIGHT(msg_units(m));
	COUNT_UP(&w->sent, 1);
	return 0;
}

static void done(struct actor *self)
{
	self->kept = (struct chain){ 0 };
	STORE(&self->held_on, 0);
}

static bool push(struct worker *w, struct actor *self, struct actor *on, bool beyond)
{
	struct chain kept = self->kept;

	switch (cell_push(on, kept.top, msg_at(kept.last), kept.weight, beyond)) {
	case PUSH_FULL:
		return false;
	case PUSH_READY:
		post_ready(w, on);
		break;
	case PUSH_DEAD:
		post_dead_chain(w, on, kept.top, kept.last, "the actor has ended");
		break;
	case PUSH_DONE:
		break;
	}
	done(self);
	return true;
}

static void link_last(struct actor *on, struct actor *self)
{
	uint32_t last = LOAD(&on->waiters), i = cell_index(self);

	STORE(&self->link, last ? LOAD(&cell_at(last)->link) : i);
	if (last)
		STORE(&cell_at(last)->link, i);
	atomic_store(&on->waiters, i);
}

/* self is the last, as we have just linked it, under the lock. */
static void unlink_last(struct actor *on, struct actor *self, uint32_t before)
{
	if (before)
		STORE(&cell_at(before)->link, LOAD(&self->link));
	STORE(&on->waiters, before);
}

/* False: self waits, and somebody may let it go at any moment. */
static bool wait_for(struct actor *self, struct actor *on)
{
	uint32_t before;
	uint64_t h;
	bool waits;

	pthread_mutex_lock(&lock);
	before = LOAD(&on->waiters);
	link_last(on, self);
	h = atomic_load(&on->head);             /* partners: take(), rest(), give_room(), bury */
	waits = HEAD_TOP(h) != TOP_DEAD && !cell_room(on, h, self->kept.weight);
	if (!waits)
		unlink_last(on, self, before);
	pthread_mutex_unlock(&lock);
	return !waits;
}

bool hold_again(struct worker *w, struct actor *self)
{
	struct actor *on = cell_at(LOAD(&self->held_on));

	while (!push(w, self, on, false))
		if (!wait_for(self, on))
			return false;
	return true;
}

bool hold_end(struct worker *w, struct actor *self)
{
	self->kept = w->kept;
	w->hold_on = NULL;
	if (self->kept.top)
		return hold_again(w, self);
	done(self);
	return true;
}

void hold_give_up(struct worker *w, struct actor *self)
{
	struct actor *on = cell_at(LOAD(&self->held_on));

	if (w->hold_on) {
		self->kept = w->kept;
		w->hold_on = NULL;
	}
	if (self->kept.top)
		push(w, self, on, true);
	done(self);
}

/* The first waiters for whom there is room leave the ring; their chain by link, 0 at its end. */
static uint32_t let_go(struct actor *a)
{
	uint64_t h = atomic_load(&a->head), more = 0;
	uint32_t last = LOAD(&a->waiters), first = 0, end = 0;

	while (last) {
		uint32_t i = LOAD(&cell_at(last)->link);
		struct actor *x = cell_at(i);

		if (HEAD_TOP(h) != TOP_DEAD && !cell_room(a, h + more, x->kept.weight))
			break;
		more += x->kept.weight;
		if (i == last)
			last = 0;
		else
			STORE(&cell_at(last)->link, LOAD(&x->link));
		STORE(&x->link, 0);
		if (end)
			STORE(&cell_at(end)->link, i);
		else
			first = i;
		end = i;
	}
	STORE(&a->waiters, last);
	return first;
}

COLD void hold_release(struct worker *w, struct actor *a)
{
	uint32_t i;

	pthread_mutex_lock(&lock);
	i = let_go(a);
	pthread_mutex_unlock(&lock);
	while (i) {
		struct actor *x = cell_at(i);

		i = LOAD(&x->link);
		post_ready(w, x);
	}
}
