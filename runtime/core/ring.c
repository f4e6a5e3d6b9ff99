/* SPDX-License-Identifier: MIT
 * ring.c - see ring.h.
 *
 * The idea: each thread writes what happened into a ring of its own, whoever asked about it; who
 * looks reads all rings and picks what belongs to its trace. So nothing has to be found, or locked
 * for long, where things happen.
 *
 * Threads: a ring is written by its thread and read by others, under its lock. Rings are never
 * freed: that of a thread that has ended serves the next. */
#include "ring.h"

#include <pthread.h>
#include <stdio.h>
#include <x86intrin.h>

#include "ports.h"
#include "times.h"

enum { RING = 1024 };

struct ring {
	struct ring_own own;            /* first: a worker knows its ring by this */
	struct ring *next;
	_Atomic(struct worker *) owner;
	char name[24];
	spinlock lock;
	uint64_t n;                     /* ever written; the last RING of them are here */
	struct kept kept[RING];
};

static _Atomic(struct ring *) rings;
static pthread_mutex_t rings_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- writing ------------------------------------------------------------------------------ */

static bool has_gone(const struct worker *owner)
{
	for (uint32_t i = 0; i < worker_count(); i++)
		if (worker_at(i) == owner)
			return false;
	return true;
}

static COLD struct ring *ring_make(struct worker *w)
{
	struct ring *r;

	pthread_mutex_lock(&rings_lock);
	for (r = LOAD(&rings); r && !has_gone(LOAD(&r->owner)); r = r->next)
		;
	if (!r) {
		r = mem_alloc(sizeof *r);
		r->next = LOAD(&rings);
		r->own.steps = random_u64();
		STORE_RELEASE(&rings, r);
	}
	STORE(&r->owner, w);
	spin_lock(&r->lock);
	memcpy(r->name, w->name, sizeof r->name);
	spin_unlock(&r->lock);
	r->own.span = r->own.entered = (struct span){ .mark = { .trace = 0 } };
	pthread_mutex_unlock(&rings_lock);
	return r;
}

struct ring_own *ring_of(struct worker *w)
{
	if (!w->ring)
		w->ring = &ring_make(w)->own;
	return w->ring;
}

void ring_write(struct worker *w, const struct kept *k)
{
	struct ring *r = (struct ring *)(void *)w->ring;

	spin_lock(&r->lock);
	memcpy(&r->kept[r->n++ % RING], k, offsetof(struct kept, args) + k->len);
	spin_unlock(&r->lock);
}

/* --- reading ------------------------------------------------------------------------------ */

struct trace_reader {
	uint64_t id;
	uint64_t began;                 /* both clocks at one moment */
	int64_t began_ms;
	struct { const struct ring *of; uint64_t seen; } *read;
	size_t rings;
};

static uint64_t *seen_of(struct trace_reader *t, const struct ring *r, uint64_t from)
{
	for (size_t i = 0; i < t->rings; i++)
		if (t->read[i].of == r)
			return &t->read[i].seen;
	t->read = mem_resize(t->read, ++t->rings * sizeof *t->read);
	t->read[t->rings - 1].of = r;
	t->read[t->rings - 1].seen = from;
	return &t->read[t->rings - 1].seen;
}

struct trace_reader *core_trace_reader(uint64_t id)
{
	struct trace_reader *t = mem_alloc(sizeof *t);

	t->id = id;
	t->began = __rdtsc();
	t->began_ms = wall_ms();
	for (struct ring *r = LOAD_ACQUIRE(&rings); r; r = r->next) {
		spin_lock(&r->lock);
		seen_of(t, r, r->n > RING ? r->n - RING : 0);
		spin_unlock(&r->lock);
	}
	return t;
}

void core_trace_reader_free(struct trace_reader *t)
{
	if (t)
		mem_free(t->read);
	mem_free(t);
}

/* From one look at both clocks, so that what happened in one millisecond keeps its order. */
static int64_t at_wall_ns(const struct trace_reader *t, uint64_t at)
{
	double since = (double)(int64_t)(at - t->began) / times_cycles_per_ns();

	return t->began_ms * 1000000 + (int64_t)since;
}

static void tell(const struct trace_reader *t, const struct kept *k, const char *worker,
		 void (*each)(void *, const struct trace_event *), void *arg)
{
	double per_ns = times_cycles_per_ns();
	struct trace_event e = {
		.trace = k->trace, .step = k->step, .parent = k->parent, .kind = k->kind,
		.actor = k->actor, .handler = k->handler, .from = k->from, .cell = k->cell,
		.answer = k->flags & MSG_ANSWER, .error = k->flags & MSG_ERR, .rc = k->rc,
		.origin = k->origin, .worker = worker, .count = k->count,
		.args = { k->args, k->args + k->len }, .at_ns = at_wall_ns(t, k->at),
		.wait_ns = (int64_t)((double)k->wait / per_ns),
		.took_ns = (int64_t)((double)k->took / per_ns),
	};

	each(arg, &e);
}

static bool is_of(const struct trace_reader *t, uint64_t trace)
{
	return (uint32_t)t->id ? trace == t->id : trace >> 32 == t->id >> 32;
}

/* The next that was not read; false: there is none. */
static bool next(struct ring *r, uint64_t *seen, struct kept *out, uint64_t *missed)
{
	bool found;

	spin_lock(&r->lock);
	if (r->n - *seen > RING) {
		*missed += r->n - *seen - RING;
		*seen = r->n - RING;
	}
	found = *seen < r->n;
	if (found)
		*out = r->kept[(*seen)++ % RING];
	spin_unlock(&r->lock);
	return found;
}

uint64_t core_trace_read(struct trace_reader *t,
			 void (*each)(void *arg, const struct trace_event *e), void *arg)
{
	uint64_t missed = 0;
	struct kept k;

	for (struct ring *r = LOAD_ACQUIRE(&rings); r; r = r->next) {
		uint64_t *seen = seen_of(t, r, 0);

		while (next(r, seen, &k, &missed))
			if (is_of(t, k.trace))
				tell(t, &k, r->name, each, arg);
	}
	return missed;
}
