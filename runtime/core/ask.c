/* SPDX-License-Identifier: MIT
 * ask.c - questions, kept callers, and the table that timers are in, too. */
#include "ask.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "kin.h"
#include "ports.h"

enum { TEXT_MAX = 8192, SERIALS = 1 << 27 };    /* bytes of a refusal in words */
enum { LOOK_1MS = 4096 };       /* waits that are looked through each ms, at most */
enum { LATE_ANY = 1 };          /* no question has this number: places begin with 1, serials too */

/* --- the table ---------------------------------------------------------------------------- */

static void grow(struct pending *p)
{
	uint32_t size = p->size ? p->size * 2 : 4;

	p->wait = mem_resize(p->wait, size * sizeof *p->wait);
	for (uint32_t i = size; i-- > (p->size ? p->size : 1); ) {
		p->wait[i] = (struct wait){ .next_free = p->free };
		p->free = i;
	}
	p->size = size;
}

struct pending *ask_pending(actor *self)
{
	if (!self->pending) {
		self->pending = mem_alloc(sizeof *self->pending);
		self->pending->late_ms = INT64_MAX;
	}
	return self->pending;
}

struct wait *wait_new(actor *self, enum wait_kind kind, uint64_t due)
{
	struct pending *p = ask_pending(self);
	struct wait *x;
	uint32_t at;

	if (kind != WAIT_CALLER && p->asks >= ASKS_MAX)
		return NULL;
	if (!p->free && p->size > WAITS_MAX)
		return NULL;
	if (!p->free)
		grow(p);
	at = p->free;
	x = &p->wait[at];
	p->free = x->next_free;
	p->serial = p->serial % (SERIALS - 1) + 1;
	*x = (struct wait){.kind = kind, .number = (int64_t)(due | (uint64_t)p->serial << 16 | at)};
	if (kind != WAIT_CALLER)
		STORE(&self->asks, ++p->asks);
	return x;
}

struct wait *ask_find(actor *self, int64_t number, enum wait_kind kind)
{
	struct pending *p = self->pending;
	uint32_t at = number & 0xffff;

	if (!p || at >= p->size || p->wait[at].number != number || p->wait[at].kind != kind)
		return NULL;
	return &p->wait[at];
}

void ask_done(actor *self, struct wait *x)
{
	struct pending *p = self->pending;

	if (x->kind == WAIT_TIMER)
		deadline_clear(x->timer);
	if (x->kind != WAIT_CALLER)
		STORE(&self->asks, --p->asks);
	*x = (struct wait){ .next_free = p->free };
	p->free = (uint32_t)(x - p->wait);
}

void ask_bury(struct worker *w, actor *self, const char *reason)
{
	struct pending *p = self->pending;

	for (uint32_t i = 1; p && i < p->size; i++) {
		struct wait *x = &p->wait[i];

		if (x->kind == WAIT_TIMER) {
			deadline_clear(x->timer);
			message_free(&w->pool, x->msg);
			mem_free(x->plan);
		}
		if (x->kind == WAIT_CALLER)
			post_answer(w, x->from, x->corr, NULL, 0, ACTOR_ENOENT, reason);
	}
	if (p && p->stash_first)
		post_dead_chain(w, self, p->stash_first, p->stash_last, reason);
	if (p) {
		deadline_clear(p->late);
		mem_free(p->wait);
	}
	mem_free(p);
	self->pending = NULL;
}

/* --- what is late ------------------------------------------------------------------------- */

static void look_by(actor *self, int64_t due_ms)
{
	struct pending *p = self->pending;

	if (due_ms >= p->late_ms)
		return;
	p->late_ms = due_ms;
	if (p->late)
		deadline_again(p->late, due_ms);
	else
		p->late = deadline_set(self, LATE_ANY, FN_LATE, due_ms, false);
}

void ask_due(actor *self, struct wait *x, int64_t due_ms)
{
	x->due_ms = due_ms;
	look_by(self, due_ms);
}

/* A handler is called by one message, so those behind the first get one each. All are looked
 * through each time, so who waits for many is told a little later: with 16,384 that end one by one
 * within 2.7 s it was a quarter of a worker's time. */
uint64_t ask_late(struct worker *w, actor *self, uint64_t number)
{
	struct pending *p = self->pending;
	int64_t now = now_ms(), next = INT64_MAX, soonest;
	uint64_t first = 0;

	if (number != LATE_ANY || !p)
		return number;
	for (uint32_t i = 1; i < p->size; i++) {
		struct wait *x = &p->wait[i];

		if (x->kind != WAIT_ASK)
			continue;
		if (x->due_ms > now) {
			next = x->due_ms < next ? x->due_ms : next;
			continue;
		}
		x->due_ms = INT64_MAX;
		if (first)
			post_special(w, cell_id(self), FN_LATE, (uint64_t)x->number);
		else
			first = (uint64_t)x->number;
	}
	p->late_ms = INT64_MAX;
	soonest = now + p->size / LOOK_1MS;
	look_by(self, next > soonest ? next : soonest);
	return first;
}

int64_t ask_left(const struct wait *x)
{
	int64_t left = x->due_ms == INT64_MAX ? 0 : x->due_ms - now_ms();

	return left > 0 ? left : 0;
}

/* --- asking ------------------------------------------------------------------------------- */

/* NULL with *rc: ENOENT, self has no such handler; ENOMEM, it waits for too much. */
static struct wait *ask_begin(actor *self, const char *then, int ms, bool stays, int64_t *due_ms,
			      int *rc, struct why *why)
{
	struct type *type = cell_type(self);
	struct table *tab = type_table(type);
	int fn = then ? table_find(tab, then, strlen(then)) : -1;
	struct wait *x;

	if (fn < 0) {
		*rc = table_missing(type, tab, then ? then : "", why);
		return NULL;
	}
	*due_ms = deadline_in(ms);
	x = wait_new(self, WAIT_ASK, stays ? 0 : deadline_bits(*due_ms, ms));
	if (!x) {
		*rc = why_set(why, ACTOR_ENOMEM, "%s waits for %d answers already",
		              type_title(type), ASKS_MAX);
		return NULL;
	}
	x->due_ms = INT64_MAX;
	x->then = tab->entry[fn].name;
	x->fn = (uint32_t)fn;
	x->ms = ms;
	return x;
}

/* A handler's place is for good: where it was, it is, unless a revert took it away. */
int ask_then(const struct wait *x, const struct table *tab)
{
	const struct entry *e = x->fn < tab->n ? &tab->entry[x->fn] : NULL;

	return e && e->name == x->then && !entry_gone(e)
	       ? (int)x->fn : table_find(tab, x->then, strlen(x->then));
}

/* rc: what sending said. The answer cannot be handled before this turn ends. */
static int64_t ask_end(actor *self, int64_t number, int rc, int64_t due_ms)
{
	struct wait *x = ask_find(self, number, WAIT_ASK);

	if (rc < 0) {
		ask_done(self, x);
		return rc;
	}
	ask_due(self, x, due_ms);
	return number;
}

int64_t ask_send(struct worker *w, actor *self, struct letter *l, struct packed in, unsigned count,
                 const char *then, int ms, struct why *why)
{
	int64_t due_ms;
	int rc;
	struct wait *x = ask_begin(self, then, ms, l->stays, &due_ms, &rc, why);

	if (!x)
		return rc;
	l->from = cell_id(self);
	l->corr = (uint64_t)x->number;
	x->from = l->to;
	return ask_end(self, (int64_t)l->corr, send_packed(w, l, in, count, why), due_ms);
}

int64_t core_ask(actor *self, const struct call *c, const char *then, int ms, struct why *why)
{
	struct worker *w = worker_acquire();
	struct letter l = {
		.to = c->to, .what = c->what, .origin = (uint8_t)c->origin, .client = c->client,
		.stays = c->stays || c->lease, .lease = c->lease };
	int64_t number = ask_send(w, self, &l, c->args, c->count, then, ms, why);

	worker_release(w);
	return number;
}

int64_t actor_ask_(actor *self, actor_ref to, const char *what, struct actor_site *s,
		   const char *then, int ms, const uint64_t *values)
{
	struct worker *w = worker_acquire();
	int64_t number, due_ms;
	int rc;
	struct wait *x = ask_begin(self, then, ms, false, &due_ms, &rc, &kin_why);

	number = x ? x->number : rc;
	if (x) {
		x->from = to;
		number = ask_end(self, number,
				 send_site(w, to, what, cell_id(self), (uint64_t)number, s, values),
				 due_ms);
	}
	worker_release(w);
	return number;
}

bool core_may_ask(const actor *self, unsigned n)
{
	const struct pending *p = self->pending;

	return !p || (p->asks + n <= ASKS_MAX && (p->free || p->size + n <= WAITS_MAX + 1));
}

static int mark(struct worker *w, actor *self, actor_ref to, int64_t number)
{
	struct target t;
	int rc = target_find(to, &t, NULL);
	struct msg *m;

	if (rc < 0)
		return rc;
	m = message_make(&w->pool, NULL, 0);
	m->gen = t.gen;
	m->fn = FN_REACH;
	m->sig = 0;
	m->from = cell_id(self);
	m->corr = (uint64_t)number;
	return post_mark(w, t.cell, m);
}

/* A mark behind what l says, or alone. No deadline: what it waits for always comes. */
static int64_t follow(actor *self, struct letter *l, const struct call *c, const char *then,
                      struct why *why)
{
	struct worker *w = worker_acquire();
	int64_t due_ms, number;
	int rc = 0, marked = 0;
	struct wait *x = ask_begin(self, then, CARRIED_MS + 1, true, &due_ms, &rc, why);

	number = x ? x->number : rc;
	l->from = cell_id(self);
	l->corr = l->lease ? (uint64_t)number : 0;
	if (x && c)
		rc = send_packed(w, l, c->args, c->count, why);
	if (x && !rc)
		marked = mark(w, self, l->to, number);
	if (x && (rc < 0 || marked < 0)) {
		ask_done(self, ask_find(self, number, WAIT_ASK));
		number = c ? rc : marked;
	}
	worker_release(w);
	return number;
}

int64_t core_reach(actor *self, actor_ref to, const char *then)
{
	struct letter l = { .to = to };

	return follow(self, &l, NULL, then, NULL);
}

int64_t core_follow(actor *self, const struct call *c, const char *then, struct why *why)
{
	struct letter l = { .to = c->to, .what = c->what, .origin = (uint8_t)c->origin,
	                    .client = c->client, .lease = c->lease, .follows = true };

	return follow(self, &l, c, then, why);
}

int core_left_ms(const msg *m)
{
	uint64_t due = m->corr >> DUE_SHIFT, left;
	int64_t passed;

	if (!m->corr || m->flags & MSG_ANSWER)
		return 0;
	if (!due)
		return INT_MAX;
	left = (due - (uint64_t)(soon_ns(&passed) / 1000000)) & DUE_MASK;
	return left && left <= CARRIED_MS ? (int)left : 1;
}

/* --- answering ---------------------------------------------------------------------------- */

/* The message's caller, who from here on is answered by somebody else than the end of the handler.
 */
static uint64_t take_caller(const msg *m)
{
	uint64_t corr = m->flags & MSG_ANSWER ? 0 : m->corr;

	if (corr)
		((struct msg *)(uintptr_t)m)->corr = 0;
	return corr;
}

void ask_reply(const msg *m, const struct arg *args, unsigned n)
{
	uint64_t corr = take_caller(m);

	if (corr)
		post_answer(worker_self, m->from, corr, args, n, 0, NULL);
}

int msg_reply_(const msg *m, const struct actor_site *s, const uint64_t *values)
{
	struct arg args[16];

	args_of_site(args, s->types, values, s->n);
	ask_reply(m, args, (unsigned)s->n);
	return 0;
}

/* What is no error would be an answer. */
static int error_code(int code)
{
	return code < 0 ? code : ACTOR_EFAIL;
}

int msg_fail_as(const msg *m, int code, const char *fmt, ...)
{
	struct worker *w = worker_self;
	uint64_t corr = take_caller(m);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (corr)
		post_answer(w, m->from, corr, NULL, 0, error_code(code), text);
	else
		memcpy(w->failure, text, sizeof w->failure - 1);
	w->in_handler |= IN_REFUSAL;
	return error_code(code);
}

msg_caller msg_defer(const msg *m)
{
	struct worker *w = worker_self;
	actor *self = LOAD(&w->actor);
	struct wait *x =
		m->corr && !(m->flags & MSG_ANSWER) ? wait_new(self, WAIT_CALLER, 0) : NULL;

	if (!x)
		return 0;
	x->from = m->from;
	x->origin = (uint8_t)(m->flags >> MSG_ORIGIN_SHIFT);
	x->corr = take_caller(m);
	return (msg_caller)x->number;
}

static int answer(actor *self, msg_caller to, const struct arg *args, unsigned n, int code,
		  const char *text)
{
	struct worker *w = worker_acquire();
	struct wait *x = ask_find(self, (int64_t)to, WAIT_CALLER);

	if (x) {
		post_answer(w, x->from, x->corr, args, n, code, text);
		ask_done(self, x);
	}
	worker_release(w);
	return x ? 0 : ACTOR_ENOENT;
}

int actor_answer_(actor *self, msg_caller to, const struct actor_site *s, const uint64_t *values)
{
	struct arg args[16];

	args_of_site(args, s->types, values, s->n);
	return answer(self, to, args, (unsigned)s->n, 0, NULL);
}

int actor_refuse_as(actor *self, msg_caller to, int code, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return answer(self, to, NULL, 0, error_code(code), text);
}

int core_answer(actor *self, msg_caller to, struct packed in, unsigned count, int code,
		const char *text)
{
	struct arg args[VALUES_MAX];
	struct why why;
	int rc = args_of_packed(args, in, count, &why);

	if (rc < 0)
		return answer(self, to, NULL, 0, ACTOR_EFAIL, why.text);
	return answer(self, to, args, count, code, text);
}
