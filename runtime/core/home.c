/* SPDX-License-Identifier: MIT
 * home.c - homes: what is ready is a stack that anybody pushes to and the home's thread takes
 * whole.
 *
 * The home is woken by whoever pushes onto an empty stack, and by nobody else: a burst costs one
 * wake. */
#include "home.h"

#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "supervise.h"

enum { HOMES_MAX = 160, TURNS = 256 };

struct home {
	struct worker w;
	_Alignas(128) _Atomic uint32_t ready;   /* cell index, newest first */
	uint32_t first, last;                   /* taken, oldest first */
	void (*wake)(void *arg);
	void *arg;
	uint8_t number;
};

static struct home *homes[HOMES_MAX];
static _Atomic uint32_t count;

struct home *home_new(const char *name, void (*wake)(void *), void *arg)
{
	uint32_t i = atomic_fetch_add(&count, 1);
	struct home *h;

	if (i >= HOMES_MAX - 1)
		return NULL;
	h = aligned_alloc(128, sizeof *h);
	memset(h, 0, sizeof *h);
	h->wake = wake;
	h->arg = arg;
	h->number = (uint8_t)(i + 1);
	homes[h->number] = h;
	worker_add(&h->w, name);
	return h;
}

void home_enter(struct home *h)
{
	worker_self = &h->w;
	worker_clock(&h->w);
}

void home_leave(struct home *h)
{
	guard_leave(&h->w);
	worker_self = NULL;
}

/* No handler runs any more, so this thread may stand for the home's. */
static void bury_all(struct home *h)
{
	struct worker *before = worker_self;

	worker_self = &h->w;
	worker_turn_begin(&h->w);
	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (a->home == h->number && HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD)
			supervise_bury(&h->w, a, a->q, 0);
	}
	worker_turn_end(&h->w);
	worker_self = before;
}

void home_free(struct home *h)
{
	if (!h)
		return;
	bury_all(h);
	worker_remove(&h->w);
	homes[h->number] = NULL;
	free(h);
}

uint8_t home_number(const struct home *h)
{
	return h ? h->number : HOME_POOL;
}

bool home_ended(struct home *h)
{
	bool ended = h->w.buried;

	h->w.buried = false;
	return ended;
}

const char *home_handler(const struct home *h)
{
	return LOAD(&h->w.handler);
}

const char *home_title(uint8_t number)
{
	return number == HOME_POOL || !homes[number] ? "pool" : homes[number]->w.name;
}

static void append(struct home *h, struct actor *a)
{
	STORE(&a->link, 0);
	if (h->first)
		STORE(&cell_at(h->last)->link, cell_index(a));
	else
		h->first = cell_index(a);
	h->last = cell_index(a);
}

void home_ready(struct actor *a)
{
	struct home *h = homes[a->home];
	uint32_t top;

	if (!h)                                 /* the node is stopping: nobody will run it */
		return;
	top = LOAD(&h->ready);
	do
		STORE(&a->link, top);
	/* release: the link; partner: take_ready() */
	while (!CAS(&h->ready, &top, cell_index(a)));
	if (!top)
		h->wake(h->arg);
}

static void take_ready(struct home *h)
{
	uint32_t i = LOAD(&h->ready) ? atomic_exchange(&h->ready, 0) : 0, out = 0;

	while (i) {                             /* newest first: turn round */
		struct actor *a = cell_at(i);
		uint32_t next = LOAD(&a->link);

		STORE(&a->link, out);
		out = i;
		i = next;
	}
	while (out) {
		struct actor *a = cell_at(out);

		out = LOAD(&a->link);
		append(h, a);
	}
}

bool home_run(struct home *h)
{
	for (int left = TURNS; left; left--) {
		struct actor *a;

		if (!h->first)
			take_ready(h);
		if (!h->first)
			return false;
		a = cell_at(h->first);
		h->first = LOAD(&a->link);
		if (run_alone(&h->w, a))
			append(h, a);
	}
	return h->first || LOAD(&h->ready);
}

bool home_waits(const struct home *h)
{
	return h->first || LOAD_ACQUIRE(&h->ready);
}

int core_spawn(const struct spawn *s, actor_id *id, struct why *why)
{
	struct birth b = { .home = home_number(s->home) };

	return life_spawn(s, &b, id, why);
}
