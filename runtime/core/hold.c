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
static _Atomic uint32_t closed;

/* No actor has cell 0. */
static struct actor *gate(void)
{
	return cell_at(0);
}

static struct actor *held_by(const struct actor *x)
{
	uint32_t on = LOAD(&x->held_on);

	return !on ? NULL : on == HELD_AT_GATE ? gate() : cell_at(on);
}

/* For so much, behind what is about to come. */
static bool has_room(struct actor *on, uint64_t coming, uint64_t weight)
{
	uint64_t h;

	if (on == gate())
		return !atomic_load(&closed);
	h = atomic_load(&on->head);             /* partners: take(), rest(), give_room(), bury */
	return HEAD_TOP(h) == TOP_DEAD || cell_room_behind(on, h, coming, weight);
}

bool hold_begin(struct worker *w, struct actor *self, struct actor *on)
{
	const struct actor *x = on;

	if (w->hold_on || self == on)
		return false;
	pthread_mutex_lock(&lock);
	while (x && x != self)
		x = held_by(x);
	if (!x)         /* before self's lane is looked at; partner: lane() in post.c */
		atomic_store(&self->held_on, cell_index(on));
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

	if (HEAD_COUNT(kept->weight) > LOAD(&w->hold_on->max_count) / 2 ||
	    (kept->top &&
	     HEAD_UNITS(kept->weight) + msg_units(m) > LOAD(&w->hold_on->max_units) / 2))
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

/* What waited at the gate comes before all that self has: by the lane that overtakes, below what
 * has come there meanwhile. */
static bool come_in(struct actor *self)
{
	uint32_t top = self->kept.top, newer, none;

	if (atomic_load(&closed))
		return false;
	msg_at(self->kept.last)->next = 0;
	do {
		newer = atomic_exchange(&self->control, 0);
		if (newer) {
			struct msg *m = msg_at(newer);

			while (m->next)
				m = msg_at(m->next);
			m->next = top;
			top = newer;
		}
		none = 0;
	} while (!atomic_compare_exchange_strong(&self->control, &none, top));
	done(self);
	return true;
}

static bool push(struct worker *w, struct actor *self, struct actor *on, enum room room)
{
	struct chain kept = self->kept;

	if (on == gate())
		return come_in(self);
	switch (cell_push(on, kept.top, msg_at(kept.last), kept.weight, room)) {
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

/* An order, which overtakes, waits for self. Only self's owner takes from its lane, so what hangs
 * there stays. */
static bool has_order(struct actor *self)
{
	uint32_t i = atomic_load(&self->control);

	while (i && !message_is_order(msg_at(i)))
		i = msg_at(i)->next;
	return i;
}

/* False: self waits, and somebody may let it go at any moment. */
static bool wait_for(struct actor *self, struct actor *on)
{
	uint32_t before;
	bool waits;

	pthread_mutex_lock(&lock);
	before = LOAD(&on->waiters);
	link_last(on, self);
	waits = !has_room(on, 0, self->kept.weight) && !has_order(self);
	if (!waits)
		unlink_last(on, self, before);
	pthread_mutex_unlock(&lock);
	return !waits;
}

bool hold_again(struct worker *w, struct actor *self)
{
	struct actor *on = held_by(self);

	while (!has_order(self) && !push(w, self, on, ROOM_LIMITED))
		if (!wait_for(self, on))
			return false;
	return true;
}

/* self leaves the ring of those who wait for `on`. False: it is not there (any more). */
static bool unlink_one(struct actor *on, struct actor *self)
{
	uint32_t last = LOAD(&on->waiters), i = cell_index(self), at = last;

	while (at && LOAD(&cell_at(at)->link) != i) {
		at = LOAD(&cell_at(at)->link);
		if (at == last)
			return false;
	}
	if (!at)
		return false;
	STORE(&cell_at(at)->link, LOAD(&self->link));
	if (i == last)
		STORE(&on->waiters, at == i ? 0 : at);
	STORE(&self->link, 0);
	return true;
}

/* Who has pushed an order onto self's lane. Partner: wait_for(), which registers, then looks at the
 * lane; both under the lock. */
static COLD void wake(struct worker *w, struct actor *self)
{
	struct actor *on;
	bool waited;

	pthread_mutex_lock(&lock);
	on = held_by(self);
	waited = on && unlink_one(on, self);
	pthread_mutex_unlock(&lock);
	if (waited)
		post_ready(w, self);
}

void hold_init(void)
{
	post_held = wake;
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
	struct actor *on = held_by(self);

	if (w->hold_on) {
		self->kept = w->kept;
		w->hold_on = NULL;
	}
	if (self->kept.top && on == gate())
		post_dead_chain(w, self, self->kept.top, self->kept.last, "the actor has ended");
	else if (self->kept.top && !push(w, self, on, ROOM_PROMISED))
		post_dead_chain(w, on, self->kept.top, self->kept.last,
				"the mailbox is full, and who waited for room has ended");
	done(self);
}

/* The first waiters for whom there is room leave the ring; their chain by link, 0 at its end. */
static uint32_t let_go(struct actor *a)
{
	uint64_t more = 0;
	uint32_t last = LOAD(&a->waiters), first = 0, end = 0;

	while (last) {
		uint32_t i = LOAD(&cell_at(last)->link);
		struct actor *x = cell_at(i);

		if (!has_room(a, more, x->kept.weight))
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

/* --- the gate ----------------------------------------------------------------------------- */

bool hold_at_gate(struct worker *w, struct actor *self, struct msg *m)
{
	struct chain *kept = &w->kept;

	if (w->hold_on && w->hold_on != gate())
		return false;
	if (!w->hold_on)
		*kept = (struct chain){ 0 };
	w->hold_on = gate();
	atomic_store(&self->held_on, HELD_AT_GATE);     /* as in hold_begin() */
	if (!kept->top)
		kept->last = msg_index(m);
	m->next = kept->top;
	kept->top = msg_index(m);
	COUNT_UP(&w->sent, 1);
	return true;
}

void hold_gate_close(void)
{
	atomic_fetch_add(&closed, 1);
}

void hold_gate_open(void)
{
	struct worker *w = worker_acquire();

	if (atomic_fetch_sub(&closed, 1) == 1)
		hold_release(w, gate());
	worker_release(w);
}
