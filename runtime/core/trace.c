/* SPDX-License-Identifier: MIT
 * trace.c - see trace.h.
 *
 * The idea: a trace begins at a message that somebody asked about (by its actor, handler, sender, a
 * value), at one in so many of all, or outside: who sends a request may have given it an id.
 * Handling it is a step; what is sent in a step is marked with trace and step, and when it is
 * handled that is the next step. Each thread writes what happened into its ring (ring.h); who looks
 * draws the tree.
 *
 * A trace's id is its request's number, with how manieth of it below; one from outside is any
 * number. What leaves for another node takes trace and step along (struct trace_link): it is noted
 * here as sent and there as handled, so the parts of a tree that nodes have fit together.
 *
 * What it costs: nothing is looked at but where a call is timed anyway (one in 64 of the fastest;
 * one in so many of all is taken there) or where the entry of its handler says so. A step is two
 * looks at the clock and a note, what is sent in it a third and another. After the limit no trace
 * begins; those that have begun go on, DEPTH_MOST steps deep.
 *
 * Threads: who traces what is published by a pointer and freed when no turn can see it. Does not
 * survive a message that waits for a timer or in a stash. */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "ports.h"
#include "recall.h"
#include "ring.h"
#include "times.h"

enum { DEPTH_MOST = 64 };
_Static_assert(sizeof(struct mark) == 8 * (SLOTS_INLINE - 1), "fits the slots but the first");

struct trace {
	const struct type *type;        /* NULL: any, as are those below */
	const char *actor, *handler, *from;     /* interned */
	int arg;                        /* which value must be so; -1: none */
	struct value value;
	char text[NAME_MAX_LEN + 1];
	int64_t every;
	bool wide;                      /* taken where calls are timed */
	int64_t most;
	_Atomic int64_t left;           /* so many may still begin */
	bool (*sender)(actor_id from, const char *client);
	char client[NAME_MAX_LEN + 1];
	uint64_t id;                    /* its number, 32 bits of nothing below */
	_Atomic uint64_t met[TRACES_MET_MOST];  /* traces of others that came by */
};

static _Atomic(struct trace *) traces[TRACES_MAX];
static _Atomic int under_way;           /* all lie below this place; 0: none is */

/* --- does a trace begin here? ------------------------------------------------------------- */

static bool value_is(const struct trace *t, const struct msg *m)
{
	struct arg a;
	double num;

	if (t->arg < 0)
		return true;
	if (t->arg >= m->n)
		return false;
	arg_of_message(&a, m, (unsigned)t->arg);
	if (a.type == VALUE_STR)
		return strlen(t->text) == a.len && memcmp(t->text, a.p, a.len) == 0;
	if (a.type == VALUE_NUM) {
		memcpy(&num, &a.bits, sizeof num);
		return t->value.type != VALUE_BOOL && num == t->value.num;
	}
	if (t->value.type == VALUE_NUM)         /* 5.0 is 5 */
		return a.type == VALUE_INT && (double)(int64_t)a.bits == t->value.num;
	return a.type == t->value.type && (int64_t)a.bits == t->value.i;
}

static bool wanted(const struct trace *t, const struct actor *a, const struct msg *m,
		   const struct entry *e)
{
	const struct type *type = cell_type(a);

	if (!t->type && !t->handler && type->native)
		return false;
	return (!t->type || t->type == type) && (!t->handler || t->handler == e->name) &&
	       (!t->actor || t->actor == type_title_of(a)) &&
	       (!t->from || t->from == type_title_at(m->from)) && value_is(t, m) &&
	       (!*t->client || t->sender(m->from, t->client));
}

/* One in `every`, of those that are looked at: a timed call stands for so many. */
static bool its_turn(struct ring_own *r, int who, const struct trace *t, int64_t stands_for)
{
	if (r->credit_of[who] != t) {
		r->credit_of[who] = t;
		r->credit[who] = t->every - stands_for;
	}
	r->credit[who] += stands_for;
	if (r->credit[who] < t->every)
		return false;
	r->credit[who] -= t->every;
	return true;
}

/* How manieth it is of those that t takes; 0: it does not. */
static int64_t takes(struct trace *t, struct worker *w, int who, const struct actor *a,
		     const struct msg *m, const struct entry *e)
{
	bool sampled = !w->sample_left;
	int64_t left;

	if (t->wide ? !sampled : !(LOAD(&e->looked) & ENTRY_TRACED))
		return 0;
	if (LOAD(&t->left) <= 0 || !wanted(t, a, m, e) ||
	    !its_turn(ring_of(w), who, t, t->wide ? w->sample_every : 1))
		return 0;
	left = atomic_fetch_sub(&t->left, 1);
	return left > 0 ? t->most - left + 1 : 0;
}

/* The trace that begins here; 0: none. */
static uint64_t chosen(struct worker *w, const struct actor *a, const struct msg *m,
		       const struct entry *e)
{
	int n = LOAD(&under_way);

	for (int i = 0; i < n; i++) {
		struct trace *t = LOAD_ACQUIRE(&traces[i]);
		int64_t number = t ? takes(t, w, i, a, m, e) : 0;

		if (number)
			return t->id | (uint32_t)number;
	}
	return 0;
}

/* --- a step ------------------------------------------------------------------------------- */

static uint64_t open_step(struct worker *w, struct actor *a, const struct msg *m,
			  const struct entry *e, const struct mark *k)
{
	struct span *s = &w->ring->span;
	struct note *n = &s->step;

	n->trace = k->trace;
	n->step = k->step;
	n->actor = type_title_of(a);
	n->handler = e->name;
	n->from = type_title_at(m->from);
	n->whom = cell_id(a);
	n->what = note_what(TRACE_HANDLED, m->flags, 0);
	s->depth = k->depth;
	s->next = 0;
	w->span = s;
	w->in_handler |= IN_TRACE;
	n->at = __rdtsc();
	n->wait = k->sent ? (((n->at >> SENT_SHIFT) - k->sent) & SENT_MASK) << SENT_SHIFT : 0;
	return n->at;
}

/* A trace that began otherwise comes to what t asks about: that one sees it, too. */
static void meet(struct trace *t, struct worker *w, int who, const struct actor *a,
		 const struct msg *m, const struct entry *e, uint64_t trace)
{
	int at = 0;

	while (at < TRACES_MET_MOST && LOAD(&t->met[at]) && LOAD(&t->met[at]) != trace)
		at++;
	if (at < TRACES_MET_MOST && !LOAD(&t->met[at]) && takes(t, w, who, a, m, e))
		STORE(&t->met[at], trace);
}

/* A trace goes on here: by whom it was begun, and who asks about this, hear of it. What it sets off
 * counts, too, so that of all messages one in `every` is traced. */
static void goes_on(struct worker *w, const struct actor *a, const struct msg *m,
		    const struct entry *e, uint64_t trace)
{
	struct ring_own *r = w->ring;
	int n = LOAD(&under_way);

	for (int i = 0; i < n; i++) {
		struct trace *t = LOAD_ACQUIRE(&traces[i]);

		if (!t)
			continue;
		if (t->id >> 32 != trace >> 32 && !t->wide)
			meet(t, w, i, a, m, e, trace);
		else if (t->id >> 32 == trace >> 32 && t->wide && r->credit_of[i] == t)
			r->credit[i] -= t->every;
	}
}

uint64_t trace_begin(struct worker *w, struct actor *a, const struct msg *m, const struct entry *e)
{
	struct ring_own *r = w->ring;
	struct mark first = { .trace = 0 };
	uint64_t now;

	if (LOAD(&e->looked) & ENTRY_RECALLED)
		recall_note(a, m, e);
	if (r && r->span.mark.trace) {
		goes_on(w, a, m, e, r->span.mark.trace);
		now = open_step(w, a, m, e, &r->span.mark);
		r->span.begins = NULL;
		trace_arrived(w);
		return now;
	}
	if (LOAD(&under_way))
		first.trace = chosen(w, a, m, e);
	if (!first.trace)
		return __rdtsc();
	first.step = ++ring_of(w)->steps;
	now = open_step(w, a, m, e, &first);
	w->span->begins = m;
	return now;
}

void trace_ran(struct worker *w, int rc)
{
	w->span->step.rc = rc;
	w->span->step.took = __rdtsc() - w->span->step.at;
}

void trace_end(struct worker *w)
{
	ring_write(w, &w->span->step, w->span->begins);
	w->span = NULL;
}

/* --- marks -------------------------------------------------------------------------------- */

/* It stands in the slots of a message of one number at most, else behind it. */
static struct mark *mark_at(struct msg *m)
{
	size_t size = sizeof *m << (m->flags & MSG_CLASS);

	return (struct mark *)(void *)((char *)m + size - sizeof(struct mark));
}

/* Are the slots but the first free? */
static bool has_room(const struct msg *m)
{
	return m->n <= 1 && !(m->flags & (MSG_CLASS | MSG_HEAP)) &&
	       (!m->n || msg_tag(m, 0) < VALUE_STR || msg_tag(m, 0) > VALUE_MAP);
}

/* The same message in a block that has room for a mark. The largest block's body goes to the heap.
 */
static struct msg *enlarge(struct worker *w, struct msg *m)
{
	int cls = m->flags & MSG_CLASS;
	size_t head = offsetof(struct msg, slot), size = sizeof *m << cls;
	bool heap = cls == CLASSES - 1;
	struct msg *larger = message_new(&w->pool, heap ? 1 : cls + 1);
	uint8_t own = larger->flags;

	memcpy(larger, m, heap ? head : size);
	larger->flags = (uint8_t)((m->flags & ~MSG_CLASS) | own);
	if (heap) {
		void *body = mem_alloc(size - head);

		memcpy(body, m->slot, size - head);
		larger->slot[0] = (uint64_t)(uintptr_t)body;
		larger->slot[1] = size - head;
		larger->flags |= MSG_HEAP;
	}
	m->flags &= (uint8_t)~MSG_HEAP;         /* its body has moved along */
	message_free(&w->pool, m);
	return larger;
}

static void note_lost(struct worker *w, uint64_t trace, uint64_t step, int rc)
{
	struct note n = { .trace = trace, .step = step, .rc = rc, .at = __rdtsc(),
	                  .actor = "", .handler = "", .from = "",
	                  .what = note_what(TRACE_LOST, 0, 0) };

	ring_of(w);
	ring_write(w, &n, NULL);
}

void trace_refused(struct worker *w, int rc)
{
	if (w->span)
		note_lost(w, w->span->step.trace, w->span->last, rc);
}

/* Noted as sent in this step, but for what another node has noted already. */
static void note_sent(struct worker *w, struct note *n, const struct msg *m, unsigned first)
{
	struct span *s = w->span;

	n->at = __rdtsc();
	n->step = s->next;
	s->next = 0;
	if (!n->step) {
		n->trace = s->step.trace;
		n->step = ++ring_of(w)->steps;
		n->parent = s->step.step;
		n->from = s->step.actor;
		n->what = note_what(TRACE_SENT, m->flags, first);
		ring_write(w, n, m);
	}
	s->last = n->step;
}

struct msg *trace_out(struct worker *w, const struct actor *to, struct msg *m)
{
	struct span *s = w->span;
	struct note n = { .whom = cell_id(to), .type = LOAD(&to->type_id), .fn = m->fn };

	if ((m->fn >= FN_SPECIAL && m->fn != FN_ANSWER) || s->depth == DEPTH_MOST)
		return m;
	note_sent(w, &n, m, 0);
	if (!has_room(m))
		m = enlarge(w, m);
	*mark_at(m) = (struct mark){ s->step.trace, n.step, n.at >> SENT_SHIFT, s->depth + 1u,
	                             m->fn };
	m->fn = FN_TRACED;
	return m;
}

void trace_arrives(struct worker *w, struct msg *m)
{
	struct ring_own *r = ring_of(w);

	r->span.mark = *mark_at(m);
	m->fn = r->span.mark.fn;
	r->span.sample_left = w->sample_left;
	w->sample_left = 1;                     /* so the next call is looked at */
}

/* The call has begun, or there was none. */
void trace_arrived(struct worker *w)
{
	struct span *s = &w->ring->span;

	if (!s->mark.trace)
		return;
	if (!w->sample_left)                    /* counted as any other call */
		w->sample_left = s->sample_left - 1;
	else
		w->sample_left = s->sample_left;
	s->mark.trace = 0;
}

void trace_lost(struct worker *w, struct msg *m)
{
	struct mark k = *mark_at(m);

	m->fn = k.fn;
	note_lost(w, k.trace, k.step, ACTOR_ENOENT);
}

/* --- from and to outside ------------------------------------------------------------------ */

void core_trace_enter(const struct trace_link *l)
{
	struct worker *w = worker_self;
	struct ring_own *r = w && l->trace ? ring_of(w) : NULL;
	struct span *s = r ? &r->entered : NULL;

	if (!s || w->span == s)
		return;
	s->step = (struct note){ .trace = l->trace, .step = l->step, .actor = "" };
	s->depth = l->depth;
	s->next = l->noted ? l->step : 0;
	r->before = w->span;
	w->span = s;
	w->in_handler |= IN_TRACE;
}

void core_trace_leave(void)
{
	struct worker *w = worker_self;
	struct ring_own *r = w ? w->ring : NULL;

	if (!r || w->span != &r->entered)
		return;
	w->span = r->before;
	if (!w->span)
		w->in_handler &= (uint8_t)~IN_TRACE;
}

bool core_trace_here(struct trace_link *out)
{
	struct span *s = worker_self ? worker_self->span : NULL;

	*out = (struct trace_link){ .trace = 0 };
	if (!s || s->depth >= DEPTH_MOST)
		return false;
	*out = (struct trace_link){ s->step.trace, s->step.step, s->depth, false };
	return true;
}

static uint64_t read_hex(const char *s, size_t n)
{
	uint64_t v = 0;

	for (; n && isxdigit((unsigned char)*s); n--, s++)
		v = v << 4 | (uint64_t)(*s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10);
	return n ? 0 : v;
}

struct trace_link core_trace_link(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n == TRACE_TEXT - 1 && text[2] == '-' && text[35] == '-' && text[52] == '-')
		return (struct trace_link){ .trace = read_hex(text + 19, 16),
		                            .step = read_hex(text + 36, 16) };
	return (struct trace_link){ .trace = n > 16 ? 0 : read_hex(text, n) };
}

void core_trace_text(const struct trace_link *l, char out[TRACE_TEXT])
{
	snprintf(out, TRACE_TEXT, "00-%032llx-%016llx-01", (unsigned long long)l->trace,
	         (unsigned long long)l->step);
}

static const char *interned(const char *text)
{
	struct name *n = text && *text ? name_of(text, strlen(text)) : NULL;

	return n ? name_text(n) : NULL;
}

static COLD void goes(const msg *m, const char *to, const char *what, struct trace_link *out)
{
	const char *name, *does;
	struct note n = { .at = 0 };

	name = interned(to);
	does = interned(what);
	n.actor = name ? name : "";
	n.handler = does ? does : "";
	note_sent(worker_self, &n, m, *to ? 2 : 0);
	out->step = n.step;
	out->depth++;
	out->noted = true;
}

bool core_trace_goes(const msg *m, const char *to, const char *what, struct trace_link *out)
{
	bool traced = core_trace_here(out);

	if (unlikely(traced))
		goes(m, to, what, out);
	return traced;
}

/* --- who traces what ---------------------------------------------------------------------- */

static bool is_asked_about(const struct type *type, const char *name)
{
	for (int i = 0; i < TRACES_MAX; i++) {
		struct trace *t = LOAD_ACQUIRE(&traces[i]);

		if (t && !t->wide && (!t->type || t->type == type) &&
		    (!t->handler || t->handler == name))
			return true;
	}
	return false;
}

/* Entries of handlers that somebody asked about are looked at. */
static void look_at(void)
{
	for (uint32_t id = 1; type_at(id); id++)
		type_look(type_at(id), ENTRY_TRACED, is_asked_about);
}

static void read_value(struct trace *t, const struct trace_query *q)
{
	char *end;

	snprintf(t->text, sizeof t->text, "%s", q->value);
	errno = 0;
	t->value = (struct value){ .type = VALUE_INT, .i = strtoll(q->value, &end, 10) };
	if (errno == ERANGE && *q->value != '-')
		t->value = (struct value){ .type = VALUE_UINT,
		                           .i = (int64_t)strtoull(q->value, &end, 10) };
	t->value.num = strtod(q->value, NULL);
	if (*q->value && !*end)
		return;
	t->value = (struct value){ .type = VALUE_NUM, .num = strtod(q->value, &end) };
	if (*q->value && !*end)
		return;
	t->value = (struct value){ .type = VALUE_BOOL, .i = strcmp(q->value, "true") == 0 };
}

static void begun(int place, struct trace *t)
{
	int n = TRACES_MAX;

	STORE_RELEASE(&traces[place], t);
	while (n > 0 && !LOAD(&traces[n - 1]))
		n--;
	STORE(&under_way, n);
	look_at();
}

int core_trace_begin(const struct trace_query *q, struct why *why)
{
	struct trace *t = mem_alloc(sizeof *t);
	int i = 0;

	*t = (struct trace){ .type = q->type, .actor = interned(q->actor),
	                     .from = interned(q->from),
	                     .handler = interned(q->handler), .arg = q->arg,
	                     .every = q->every > 0 ? q->every : 1, .most = q->most,
	                     .left = q->most,
	                     .sender = q->sender, .id = (random_u64() | 1) << 32 };
	t->wide = !q->type && !t->handler && t->every >= TRACE_SAMPLED;
	read_value(t, q);
	snprintf(t->client, sizeof t->client, "%s", q->client && q->sender ? q->client : "");
	while (i < TRACES_MAX && LOAD(&traces[i]))
		i++;
	if (i == TRACES_MAX) {
		mem_free(t);
		return why_set(why, ACTOR_ENOMEM, "%d traces are under way already: wait until "
			"one has ended", TRACES_MAX);
	}
	begun(i, t);
	return i;
}

void core_trace_end(int trace)
{
	struct trace *t = LOAD(&traces[trace]);

	begun(trace, NULL);
	worker_retire(mem_free, t);
}

void core_trace_close(int trace)
{
	STORE(&LOAD(&traces[trace])->left, 0);
}

int64_t core_trace_left(int trace)
{
	int64_t left = LOAD(&LOAD(&traces[trace])->left);

	return left > 0 ? left : 0;
}

uint64_t core_trace_id(int trace)
{
	return LOAD(&traces[trace])->id;
}

int core_trace_met(int trace, uint64_t ids[TRACES_MET_MOST])
{
	struct trace *t = LOAD(&traces[trace]);
	int n = 0;

	while (n < TRACES_MET_MOST && (ids[n] = LOAD(&t->met[n])))
		n++;
	return n;
}

void core_trace_look(void)
{
	look_at();
}
