/* SPDX-License-Identifier: MIT
 * ring.c - see ring.h.
 *
 * The idea: each thread writes what happened into a ring of its own, whoever asked about it; who
 * looks reads all rings and picks what belongs to its trace. So nothing has to be found, locked or
 * packed where things happen: a note is a dozen words, and a message is copied as it is.
 *
 * Threads: a ring is written by its thread and read by others meanwhile. A note counts once r->n
 * says so (release), and its place is written again RING notes later. Who reads looks at r->n after
 * the note: as each word is stored with release and loaded with acquire, one who met a word of a
 * later note finds r->n grown as well, and passes it over. That is a seqlock (H. Boehm, "Can
 * seqlocks get along with programming language memory models?", 2012); on x86 its stores are plain.
 * Rings are never freed: that of a thread that has ended serves the next. */
#include "ring.h"

#include <pthread.h>
#include <stdio.h>
#include <x86intrin.h>

#include "ports.h"
#include "times.h"

/* Of a message no word is kept that says where it hangs. */
enum { RING = 1024, NOTE_WORDS = sizeof(struct note) / 8, MESSAGE_WORDS = 32,
       MESSAGE_FROM = offsetof(struct msg, fn) / 8 };
_Static_assert(sizeof(struct note) % 8 == 0 && offsetof(struct msg, fn) % 8 == 0, "whole words");

struct slot { _Atomic uint64_t note[NOTE_WORDS], message[MESSAGE_WORDS]; };

struct ring {
	struct ring_own own;            /* first: a worker knows its ring by this */
	struct ring *next;
	struct worker *owner;           /* under rings_lock, as is name */
	char name[24];
	_Alignas(64) _Atomic uint64_t n;        /* ever written; the last RING of them are here */
	struct slot slot[RING];
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
	for (r = LOAD(&rings); r && !has_gone(r->owner); r = r->next)
		;
	if (!r) {
		r = mem_alloc(sizeof *r);
		r->next = LOAD(&rings);
		r->own.steps = random_u64();
		STORE_RELEASE(&rings, r);
	}
	r->owner = w;
	memcpy(r->name, w->name, sizeof r->name);
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

INLINE void put(_Atomic uint64_t *to, const void *from, unsigned at, unsigned end)
{
	uint64_t word;

	for (; at < end; at++) {
		memcpy(&word, (const char *)from + 8 * at, 8);
		STORE_RELEASE(&to[at], word);           /* partner: get() */
	}
}

void ring_write(struct worker *w, const struct note *n, const struct msg *m)
{
	struct ring *r = (struct ring *)(void *)w->ring;
	uint64_t at = LOAD(&r->n);
	struct slot *s = &r->slot[at % RING];
	unsigned words = m && !(m->flags & MSG_HEAP) ? 8u << (m->flags & MSG_CLASS) : 0;

	if (words > MESSAGE_WORDS)
		words = 0;
	put(s->note, n, 0, NOTE_WORDS - 1);
	STORE_RELEASE(&s->note[NOTE_WORDS - 1], n->what | (uint64_t)words << WHAT_WORDS);
	put(s->message, m, MESSAGE_FROM, words);
	STORE_RELEASE(&r->n, at + 1);
}

/* --- reading ------------------------------------------------------------------------------ */

/* A note as it was read, with its message. */
struct noted {
	struct note note;
	union { struct msg msg; uint64_t all[MESSAGE_WORDS]; } of;
};

struct trace_reader {
	uint64_t id;
	uint64_t began;                 /* both clocks at one moment */
	int64_t began_ms;
	struct { struct ring *of; uint64_t seen; } *read;
	size_t rings;
	struct buf values;              /* of one message, packed */
};

static uint64_t *seen_of(struct trace_reader *t, struct ring *r, uint64_t from)
{
	for (size_t i = 0; i < t->rings; i++)
		if (t->read[i].of == r)
			return &t->read[i].seen;
	t->read = mem_resize(t->read, ++t->rings * sizeof *t->read);
	t->read[t->rings - 1].of = r;
	t->read[t->rings - 1].seen = from;
	return &t->read[t->rings - 1].seen;
}

/* The first that is surely not being written over. */
static uint64_t oldest(uint64_t n)
{
	return n >= RING ? n - RING + 1 : 0;
}

struct trace_reader *core_trace_reader(uint64_t id)
{
	struct trace_reader *t = mem_alloc(sizeof *t);

	t->id = id;
	t->began = __rdtsc();
	t->began_ms = wall_ms();
	for (struct ring *r = LOAD_ACQUIRE(&rings); r; r = r->next)
		seen_of(t, r, oldest(LOAD_ACQUIRE(&r->n)));
	return t;
}

void core_trace_reader_free(struct trace_reader *t)
{
	if (!t)
		return;
	buf_fini(&t->values);
	mem_free(t->read);
	mem_free(t);
}

/* From one look at both clocks, so that what happened in one millisecond keeps its order. */
static int64_t at_wall_ns(const struct trace_reader *t, uint64_t at)
{
	double since = (double)(int64_t)(at - t->began) / times_cycles_per_ns();

	return t->began_ms * 1000000 + (int64_t)since;
}

/* Whom a message was sent to, and its handler, where the sender did not say it in words. */
static void name_receiver(struct note *n)
{
	struct worker *w = worker_acquire();    /* its table stays */
	const struct type *type = type_at((uint32_t)n->type);
	const struct table *tab = type_table(type);

	n->actor = type_title_at(n->whom);
	if (!*n->actor)
		n->actor = type_title(type);
	n->handler = n->fn < tab->n ? tab->entry[n->fn].name : "";
	worker_release(w);
}

static void tell(struct trace_reader *t, struct noted *k, const char *worker,
		 void (*each)(void *, const struct trace_event *), void *arg)
{
	double per_ns = times_cycles_per_ns();
	struct note *n = &k->note;
	uint8_t flags = (uint8_t)(n->what >> WHAT_FLAGS), first = (uint8_t)(n->what >> WHAT_FIRST);
	struct trace_event e;

	if (!n->actor)
		name_receiver(n);
	buf_clear(&t->values);
	if (n->what >> WHAT_WORDS)
		message_pack(&k->of.msg, first, &t->values);
	e = (struct trace_event){
		.trace = n->trace, .step = n->step, .kind = n->what & 0xff, .actor = n->actor,
		.handler = n->handler, .from = n->from, .cell = (uint32_t)n->whom,
		.answer = flags & MSG_ANSWER, .error = flags & MSG_ERR && flags & MSG_ANSWER,
		.worker = worker,
		.origin = flags >> MSG_ORIGIN_SHIFT, .at_ns = at_wall_ns(t, n->at),
		.args = { (uint8_t *)t->values.p, (uint8_t *)t->values.p + t->values.len },
		.count = t->values.len ? k->of.msg.n - first : 0,
	};
	if (e.kind == TRACE_SENT)
		e.parent = n->parent;
	else
		e.rc = (int)n->rc;
	if (e.kind == TRACE_HANDLED) {
		e.wait_ns = (int64_t)((double)n->wait / per_ns);
		e.took_ns = (int64_t)((double)n->took / per_ns);
	}
	each(arg, &e);
}

static bool is_of(const struct trace_reader *t, uint64_t trace)
{
	return (uint32_t)t->id ? trace == t->id : trace >> 32 == t->id >> 32;
}

static void get(void *to, const _Atomic uint64_t *from, unsigned at, uint64_t end)
{
	for (; at < end; at++) {
		uint64_t word = LOAD_ACQUIRE(&from[at]);        /* partner: put() */

		memcpy((char *)to + 8 * at, &word, 8);
	}
}

enum look { LOOK_OURS, LOOK_OTHERS, LOOK_MISSED };

static enum look look(const struct trace_reader *t, struct ring *r, uint64_t at, struct noted *out)
{
	const struct slot *s = &r->slot[at % RING];
	uint64_t words;
	bool ours;

	get(&out->note, s->note, 0, NOTE_WORDS);
	words = out->note.what >> WHAT_WORDS;
	ours = is_of(t, out->note.trace);
	if (ours && words <= MESSAGE_WORDS)
		get(&out->of, s->message, MESSAGE_FROM, words);
	if (at < oldest(LOAD(&r->n)))           /* written over meanwhile; partner: put() */
		return LOOK_MISSED;
	return ours ? LOOK_OURS : LOOK_OTHERS;
}

static uint64_t read_ring(struct trace_reader *t, struct ring *r,
			  void (*each)(void *arg, const struct trace_event *e), void *arg)
{
	uint64_t end = LOAD_ACQUIRE(&r->n), missed = 0;
	uint64_t *seen = seen_of(t, r, 0);
	char name[sizeof r->name];
	struct noted k;

	pthread_mutex_lock(&rings_lock);
	memcpy(name, r->name, sizeof name);
	pthread_mutex_unlock(&rings_lock);
	if (*seen < oldest(end)) {
		missed = oldest(end) - *seen;
		*seen = oldest(end);
	}
	for (; *seen < end; ++*seen) {
		enum look found = look(t, r, *seen, &k);

		if (found == LOOK_OURS)
			tell(t, &k, name, each, arg);
		missed += found == LOOK_MISSED;
	}
	return missed;
}

uint64_t core_trace_read(struct trace_reader *t,
			 void (*each)(void *arg, const struct trace_event *e), void *arg)
{
	uint64_t missed = 0;

	for (struct ring *r = LOAD_ACQUIRE(&rings); r; r = r->next)
		missed += read_ring(t, r, each, arg);
	return missed;
}
