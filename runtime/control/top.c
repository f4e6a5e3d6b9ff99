/* SPDX-License-Identifier: MIT
 * top.c - see top.h.
 *
 * The idea: each answer remembers what all handlers had counted by then, under a number, and who
 * names that number next time learns what has happened between. So any number of lookers have
 * windows of their own, and nothing is counted for nobody. Only SNAPSHOTS are kept.
 * Handlers are the rows, not actors: an actor has no counters of its own (there may be millions);
 * what it does have, its mailbox, is the second table. */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>

#include "ages.h"
#include "glance.h"
#include "ports.h"
#include "rows.h"

enum { SNAPSHOTS = 8, HANDLERS_MOST = 10000, ROWS_MOST = 1000, THREADS_MOST = 256 };

/* What one handler had counted. */
struct counted {
	const char *type, *handler;
	const struct type *of;
	uint32_t slot;
	uint64_t calls, failures, ns;
	uint32_t patch;                 /* it came with; 0: with none */
	bool on_probation;
	struct handler_times times;
};

struct snapshot {
	int64_t number, at_ns, cpu_ns;
	struct core_totals totals;
	struct counted *row;
	size_t n, cap;
	struct { const char *name; int64_t cpu_ns; } thread[THREADS_MOST];
	size_t threads;
};

struct top {
	struct snapshot kept[SNAPSHOTS];
	int64_t number;
	int64_t started_ns;
};

struct top *top_new(void)
{
	struct top *t = mem_alloc(sizeof *t);

	t->started_ns = now_ns();
	return t;
}

void top_free(struct top *t)
{
	for (int i = 0; t && i < SNAPSHOTS; i++)
		mem_free(t->kept[i].row);
	mem_free(t);
}

/* --- a snapshot ------------------------------------------------------------------- */

struct reading { struct snapshot *s; const struct type *type; };

static void read_handler(void *arg, const struct handler_info *h)
{
	struct reading *r = arg;
	struct snapshot *s = r->s;
	struct counted *c;

	if (s->n == HANDLERS_MOST)
		return;
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->row = mem_resize(s->row, s->cap * sizeof *s->row);
	}
	c = &s->row[s->n++];
	*c = (struct counted){ .type = type_name(r->type), .handler = h->name, .of = r->type,
	                       .slot = h->slot, .calls = h->calls, .failures = h->failures,
	                       .ns = h->ns, .patch = h->version,
	                       .on_probation = h->on_probation };
	core_handler_times(h, &c->times);
}

static void read_type(void *arg, struct type *type)
{
	struct reading *r = arg;

	r->type = type;
	core_handlers(type, read_handler, r);
}

static int by_slot(const void *a, const void *b)
{
	uint32_t x = ((const struct counted *)a)->slot, y = ((const struct counted *)b)->slot;

	return (x > y) - (x < y);
}

static void read_thread(void *arg, const struct worker_info *w)
{
	struct snapshot *s = arg;

	if (!w->cpu_ns || s->threads == THREADS_MOST)
		return;
	s->thread[s->threads].name = w->name;
	s->thread[s->threads++].cpu_ns = w->cpu_ns;
}

static struct snapshot *take(struct top *t)
{
	struct snapshot *s = &t->kept[++t->number % SNAPSHOTS];
	struct reading r = { s, NULL };

	s->number = t->number;
	s->n = 0;
	s->at_ns = now_ns();
	s->cpu_ns = glance_cpu_ns();
	core_counts(&s->totals);
	core_types(read_type, &r);
	s->threads = 0;
	core_workers(read_thread, s);
	qsort(s->row, s->n, sizeof *s->row, by_slot);
	return s;
}

/* NULL: gone, or about to be. */
static const struct snapshot *find(const struct top *t, int64_t number)
{
	if (number < 1 || number > t->number || number <= t->number + 1 - SNAPSHOTS)
		return NULL;
	return &t->kept[number % SNAPSHOTS];
}

/* --- what happened between --------------------------------------------------------- */

struct busy {
	const struct counted *c;
	uint64_t calls, failures, waiting, memory;      /* the last two: of its type */
	double per_s, cpu, mean_us, p99_us, most_us;
};

/* What a thread counted goes with it. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static struct busy change_of(const struct counted *now, const struct snapshot *before, double s)
{
	const struct counted none = { .calls = 0 }, *was = NULL;
	struct handler_times between = now->times;
	struct busy d = { .c = now };
	double ns;

	if (before)
		was = bsearch(now, before->row, before->n, sizeof *now, by_slot);
	if (!was)
		was = &none;
	for (int i = 0; i < TIME_PLACES; i++)
		between.count[i] = since(now->times.count[i], was->times.count[i]);
	d.calls = since(now->calls, was->calls);
	d.failures = since(now->failures, was->failures);
	ns = (double)since(now->ns, was->ns);
	d.per_s = (double)d.calls / s;
	d.cpu = ns / 1e7 / s;
	d.mean_us = d.calls ? ns / 1e3 / (double)d.calls : 0;
	d.p99_us = (double)core_times_part(&between, 0.99) / 1e3;
	d.most_us = (double)now->times.most_ns / 1e3;
	return d;
}

static double rate(const struct busy *d) { return d->per_s; }
static double cpu(const struct busy *d) { return d->cpu; }
static double mean(const struct busy *d) { return d->mean_us; }
static double p99(const struct busy *d) { return d->p99_us; }
static double failures(const struct busy *d) { return (double)d->failures; }
static double waiting(const struct busy *d) { return (double)d->waiting; }
static double memory(const struct busy *d) { return (double)d->memory; }

static const struct order { const char *name; double (*of)(const struct busy *d); } orders[] = {
	{ "rate", rate }, { "cpu", cpu }, { "mean", mean }, { "p99", p99 },
	{ "failures", failures }, { "waiting", waiting }, { "memory", memory },
};

static const struct order *find_order(const char *name, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (strcmp(orders[i].name, name) == 0)
			return &orders[i];
	why_set(why, ACTOR_EARGS,
		"top is not sorted by `%s`, but by rate, cpu, mean, p99, failures, "
		"waiting or memory",
		name);
	return NULL;
}

static int by_order(const void *a, const void *b, void *arg)
{
	const struct order *o = arg;
	double x = o->of(a), y = o->of(b);

	return x != y ? (x < y) - (x > y) :
		(rate(a) < rate(b)) - (rate(a) > rate(b));
}

static bool matches(const struct counted *c, const char *filter)
{
	char whole[2 * NAME_MAX_LEN + 2];

	snprintf(whole, sizeof whole, "%s.%s", c->type, c->handler);
	return strstr(whole, filter) != NULL;
}

/* --- mailboxes --------------------------------------------------------------------- */

static void mailbox_rows(struct rows *out, const struct census *m)
{
	struct pairs p = { 0 };
	struct actor_info a;
	struct age age;

	for (size_t i = 0; i < m->n; i++) {
		if (core_inspect(m->full[i].id, &a) != 0)
			continue;
		pairs_text(&p, "mailbox", a.name);
		pairs_text(&p, "type", a.type);
		pairs_text(&p, "state", a.state);
		pairs_uint(&p, "waiting", m->full[i].depth);
		pairs_uint(&p, "max_waiting", a.max_count);
		pairs_uint(&p, "bytes", a.bytes);
		pairs_int(&p, "oldest_ms", ages_of(&a, &age) ? age.least_ms : 0);
		rows_add(out, &p);
	}
}

/* --- what runs long right now ------------------------------------------------------- */

static void running_row(void *arg, const struct worker_info *w)
{
	int64_t ms = w->since_ns ? (now_ns() - w->since_ns) / 1000000 : 0;
	struct pairs p = { 0 };

	if (ms < 1 || !w->actor)
		return;
	pairs_text(&p, "running", w->name);
	pairs_text(&p, "actor", w->actor);
	pairs_text(&p, "handler", w->handler);
	pairs_int(&p, "for_ms", ms);
	rows_add(arg, &p);
}

/* --- the answer --------------------------------------------------------------------- */

static void handler_rows(struct rows *out, const struct busy *d, size_t n, size_t most)
{
	struct pairs p = { 0 };

	for (size_t i = 0; i < n && out->n < most; i++, d++) {
		pairs_text(&p, "type", d->c->type);
		pairs_text(&p, "handler", d->c->handler);
		pairs_num(&p, "per_s", d->per_s);
		pairs_num(&p, "cpu", d->cpu);
		pairs_num(&p, "mean_us", d->mean_us);
		pairs_num(&p, "p99_us", d->p99_us);
		pairs_uint(&p, "failed", d->failures);
		pairs_uint(&p, "waiting", d->waiting);
		pairs_uint(&p, "patch", d->c->patch);
		pairs_text(&p, "state", d->c->on_probation ? "probation" :
		                        d->c->patch ? "patched" : "");
		rows_add(out, &p);
	}
}

static size_t changes(struct busy *to, const struct snapshot *now, const struct snapshot *before,
                      double s, const struct census *m)
{
	const struct census_type *type;
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++) {
		struct busy d = change_of(&now->row[i], before, s);

		type = census_of(m, d.c->type);
		d.waiting = type ? type->waiting : 0;
		d.memory = type ? census_bytes(type) : 0;
		if ((d.calls || d.failures || d.cpu > 0 || d.waiting) &&
		    matches(d.c, m->filter))
			to[n++] = d;
	}
	return n;
}

static void add_summary(struct pairs *p, const struct snapshot *now, const struct snapshot *before,
                        double s)
{
	const struct snapshot none = { .number = 0 };
	const struct snapshot *was = before ? before : &none;

	pairs_int(p, "snapshot", now->number);
	pairs_num(p, "window_ms", s * 1000);
	pairs_uint(p, "actors", now->totals.actors);
	/* One of them is the question itself. */
	pairs_uint(p, "waiting", now->totals.waiting ? now->totals.waiting - 1 : 0);
	pairs_num(p, "per_s", (double)(now->totals.handled - was->totals.handled) / s);
	pairs_uint(p, "failed", now->totals.failed - was->totals.failed);
	pairs_uint(p, "dead_letters", now->totals.dead_letters - was->totals.dead_letters);
	pairs_num(p, "cpu", (double)(now->cpu_ns - was->cpu_ns) / 1e7 / s);
}

/* In percent of a processor. */
static void add_threads(struct pairs *out, const struct snapshot *now,
                        const struct snapshot *before, double s)
{
	struct rows rows = { 0 };
	struct pairs p = { 0 };

	for (size_t i = 0; i < now->threads; i++) {
		int64_t was = 0;

		for (size_t k = 0; before && k < before->threads; k++)
			if (before->thread[k].name == now->thread[i].name)
				was = before->thread[k].cpu_ns;
		pairs_text(&p, "thread", now->thread[i].name);
		pairs_num(&p, "cpu", (double)(now->thread[i].cpu_ns - was) / 1e7 / s);
		rows_add(&rows, &p);
	}
	rows_close(&rows, pairs_key(out, "threads"));
}

int top_check(const struct top_query *q, struct why *why)
{
	if (!find_order(q->sort, why))
		return ACTOR_EARGS;
	if (q->rows < 1 || q->rows > ROWS_MOST)
		return why_set(why, ACTOR_EARGS, "top shows 1 to %d rows", ROWS_MOST);
	return 0;
}

void top_answer(struct top *t, const struct top_query *q, struct census *census, struct buf *out)
{
	struct rows handlers = { 0 }, boxes = { 0 }, running = { 0 };
	const struct snapshot *before = find(t, q->since), *now = take(t);
	double s = (double)(now->at_ns - (before ? before->at_ns : t->started_ns) + 1) / 1e9;
	struct busy *d = mem_alloc((now->n + 1) * sizeof *d);
	size_t n = changes(d, now, before, s, census);
	struct pairs p = { 0 };
	struct why why;

	qsort_r(d, n, sizeof *d, by_order, (void *)(uintptr_t)find_order(q->sort, &why));
	handler_rows(&handlers, d, n, (size_t)q->rows);
	mailbox_rows(&boxes, census);
	core_workers(running_row, &running);
	add_summary(&p, now, before, s);
	rows_close(&handlers, pairs_key(&p, "handlers"));
	rows_close(&boxes, pairs_key(&p, "mailboxes"));
	rows_close(&running, pairs_key(&p, "running"));
	add_threads(&p, now, before, s);
	census_rows(census, (size_t)q->rows, pairs_key(&p, "types"));
	pairs_close(&p, out);
	mem_free(d);
}
