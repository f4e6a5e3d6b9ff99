/* SPDX-License-Identifier: MIT
 * ask.c - questions, kept callers, timers. */
#include "ask.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ports.h"
#include "timer.h"

enum { TEXT_MAX = 8192 };       /* of a refusal in words */

struct pending {
	struct wait *wait;              /* places 1 to size - 1 */
	uint32_t size, free, serial;
	uint32_t asks;                  /* WAIT_ASK and WAIT_TIMER */
};

/* --- deadlines -------------------------------------------------------------------------------------- */

struct timer_entry {
	struct timer timer;             /* first: a timer is its entry */
	uint64_t actor;
	int64_t number;
	uint16_t fn;
	struct timer_entry *next;       /* unused ones */
};

static struct {
	pthread_mutex_t lock;
	struct timers wheel;
	struct timer_entry *unused;
	int64_t looked;                 /* the moment the loop will look again, ms */
	void (*earlier)(void *arg);
	void *arg;
} deadlines = { .lock = PTHREAD_MUTEX_INITIALIZER };

void ask_init(void)
{
	timers_init(&deadlines.wheel, now_ms());
	deadlines.looked = INT64_MAX;
}

void core_on_earlier_timer(void (*earlier)(void *), void *arg)
{
	deadlines.earlier = earlier;
	deadlines.arg = arg;
}

static struct timer_entry *deadline_set(actor *self, int64_t number, uint16_t fn, int ms)
{
	int64_t due = (now_ns() + 999999) / 1000000 + (ms > 0 ? ms : 0);        /* not a moment early */
	struct timer_entry *e;
	bool first;

	pthread_mutex_lock(&deadlines.lock);
	e = deadlines.unused;
	if (e)
		deadlines.unused = e->next;
	else
		e = mem_alloc(sizeof *e);
	e->actor = cell_id(self);
	e->number = number;
	e->fn = fn;
	e->timer = (struct timer){ { NULL, NULL }, 0 };
	timer_set(&deadlines.wheel, &e->timer, due);
	first = due < deadlines.looked;
	if (first)
		deadlines.looked = due;
	pthread_mutex_unlock(&deadlines.lock);
	if (first && deadlines.earlier)
		deadlines.earlier(deadlines.arg);
	return e;
}

/* An entry that has fired is off the wheel, but still its wait's until then. */
static void deadline_clear(struct timer_entry *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&deadlines.lock);
	timer_clear(&deadlines.wheel, &e->timer);
	e->next = deadlines.unused;
	deadlines.unused = e;
	pthread_mutex_unlock(&deadlines.lock);
}

int64_t core_next_timer(void)
{
	int64_t next;

	pthread_mutex_lock(&deadlines.lock);
	next = timers_next(&deadlines.wheel);
	deadlines.looked = next;
	pthread_mutex_unlock(&deadlines.lock);
	return next == INT64_MAX ? next : next * 1000000;
}

void core_run_timers(void)
{
	enum { AT_ONCE = 128 };
	struct timer_entry due[AT_ONCE];
	int64_t now = now_ms();
	int n;

	do {
		struct worker *w;
		struct timer *x;

		pthread_mutex_lock(&deadlines.lock);
		for (n = 0; n < AT_ONCE && (x = timers_take(&deadlines.wheel, now)); n++)
			due[n] = *(struct timer_entry *)x;
		pthread_mutex_unlock(&deadlines.lock);
		w = worker_acquire();
		for (int i = 0; i < n; i++)
			post_special(w, due[i].actor, due[i].fn, (uint64_t)due[i].number);
		worker_release(w);
	} while (n == AT_ONCE);
}

/* --- the table ---------------------------------------------------------------------------------------- */

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

/* NULL: the limit is reached. */
static struct wait *wait_new(actor *self, enum wait_kind kind)
{
	struct pending *p = self->pending;
	struct wait *x;
	uint32_t at;

	if (!p)
		p = self->pending = mem_alloc(sizeof *p);
	if (kind != WAIT_CALLER && p->asks >= ASKS_MAX)
		return NULL;
	if (!p->free && p->size > WAITS_MAX)
		return NULL;
	if (!p->free)
		grow(p);
	at = p->free;
	x = &p->wait[at];
	p->free = x->next_free;
	p->serial++;
	*x = (struct wait){ .kind = kind, .number = (int64_t)p->serial << 16 | at };
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

		deadline_clear(x->timer);
		if (x->kind == WAIT_TIMER)
			message_free(&w->pool, x->msg);
		if (x->kind == WAIT_CALLER)
			post_answer(w, x->from, x->corr, NULL, 0, ACTOR_ENOENT, reason);
	}
	if (p)
		mem_free(p->wait);
	mem_free(p);
	self->pending = NULL;
}

/* --- asking ------------------------------------------------------------------------------------------- */

static struct wait *ask_begin(actor *self, const char *then, struct why *why)
{
	struct name *name = then ? name_of(then, strlen(then)) : NULL;
	struct type *type = LOAD(&self->type);
	struct table *tab = LOAD_ACQUIRE(&type->table);
	struct wait *x;

	if (!name || table_find(tab, then, strlen(then)) < 0) {
		table_missing(type, tab, then ? then : "", why);
		return NULL;
	}
	x = wait_new(self, WAIT_ASK);
	if (!x)
		why_set(why, ACTOR_ENOMEM, "%s waits for %d answers already", type_title(type), ASKS_MAX);
	else
		x->then = name_text(name);
	return x;
}

/* rc: what sending said. The deadline begins now; the answer cannot be handled before this turn ends. */
static int64_t ask_end(actor *self, int64_t number, int rc, int ms)
{
	struct wait *x = ask_find(self, number, WAIT_ASK);

	if (rc < 0) {
		ask_done(self, x);
		return rc;
	}
	x->ms = ms;
	x->timer = deadline_set(self, number, FN_LATE, ms);
	return number;
}

int64_t ask_send(struct worker *w, actor *self, struct letter *l, struct packed in, unsigned count,
                 const char *then, int ms, struct why *why)
{
	struct wait *x = ask_begin(self, then, why);

	if (!x)
		return table_find(LOAD_ACQUIRE(&LOAD(&self->type)->table), then ? then : "",
		                  then ? strlen(then) : 0) < 0 ? ACTOR_ENOENT : ACTOR_ENOMEM;
	l->from = cell_id(self);
	l->corr = (uint64_t)x->number;
	return ask_end(self, (int64_t)l->corr, send_packed(w, l, in, count, why), ms);
}

int64_t core_ask(actor *self, const struct call *c, const char *then, int ms, struct why *why)
{
	struct worker *w = worker_acquire();
	struct letter l = { .to = c->to, .what = c->what, .origin = (uint8_t)c->origin, .client = c->client };
	int64_t number = ask_send(w, self, &l, c->args, c->count, then, ms, why);

	worker_release(w);
	return number;
}

int64_t actor_ask_(actor *self, actor_ref to, const char *what, struct actor_site *s, const char *then, int ms,
                   const uint64_t *values)
{
	struct worker *w = worker_acquire();
	struct wait *x = ask_begin(self, then, NULL);
	int64_t number = ACTOR_ENOENT;

	if (x) {
		number = x->number;
		number = ask_end(self, number, send_site(w, to, what, cell_id(self), (uint64_t)number, s, values),
		                 ms);
	}
	worker_release(w);
	return number;
}

/* --- timers -------------------------------------------------------------------------------------------- */

int64_t actor_after_(actor *self, int ms, const char *what, struct actor_site *s, const uint64_t *values)
{
	struct worker *w = worker_acquire();
	struct arg args[16];
	struct wait *x = NULL;
	int64_t number = ACTOR_EARGS;
	struct msg *m;

	args_of_site(args, s->types, values, s->n);
	m = send_prepare(w, self, what, args, (unsigned)s->n, NULL);
	if (m)
		x = wait_new(self, WAIT_TIMER);
	if (x) {
		number = x->number;
		x->msg = m;
		x->timer = deadline_set(self, number, FN_TIMER, ms);
	} else if (m) {
		message_free(&w->pool, m);
		number = ACTOR_ENOMEM;
	} else if (table_find(LOAD_ACQUIRE(&LOAD(&self->type)->table), what, strlen(what)) < 0) {
		number = ACTOR_ENOENT;
	}
	worker_release(w);
	return number;
}

int actor_cancel(actor *self, int64_t timer)
{
	struct worker *w = worker_acquire();
	struct wait *x = ask_find(self, timer, WAIT_TIMER);

	if (x) {
		message_free(&w->pool, x->msg);
		ask_done(self, x);
	}
	worker_release(w);
	return x ? 0 : ACTOR_ENOENT;
}

int64_t actor_now(void)
{
	return now_ms();
}

/* --- answering ------------------------------------------------------------------------------------------ */

/* The message's caller, who from here on is answered by somebody else than the end of the handler. */
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

int msg_fail(const msg *m, const char *fmt, ...)
{
	struct worker *w = worker_self;
	uint64_t corr = take_caller(m);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (corr)
		post_answer(w, m->from, corr, NULL, 0, ACTOR_EFAIL, text);
	else
		memcpy(w->failure, text, sizeof w->failure - 1);
	return ACTOR_EFAIL;
}

msg_caller msg_defer(const msg *m)
{
	struct worker *w = worker_self;
	actor *self = LOAD(&w->actor);
	struct wait *x = m->corr && !(m->flags & MSG_ANSWER) ? wait_new(self, WAIT_CALLER) : NULL;

	if (!x)
		return 0;
	x->from = m->from;
	x->origin = (uint8_t)(m->flags >> MSG_ORIGIN_SHIFT);
	x->corr = take_caller(m);
	return (msg_caller)x->number;
}

static int answer(actor *self, msg_caller to, const struct arg *args, unsigned n, int code, const char *text)
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

int actor_refuse(actor *self, msg_caller to, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return answer(self, to, NULL, 0, ACTOR_EFAIL, text);
}

int core_answer(actor *self, msg_caller to, struct packed in, unsigned count, int code, const char *text)
{
	struct arg args[VALUES_MAX];
	struct why why;
	int rc = args_of_packed(args, in, count, &why);

	if (rc < 0)
		return answer(self, to, NULL, 0, ACTOR_EFAIL, why.text);
	return answer(self, to, args, count, code, text);
}
