/* SPDX-License-Identifier: MIT
 * switch.c - new tables in force, and earlier ones again; for one type or for many at one point.
 *
 * One type's table is a pointer that is exchanged. Several cannot be exchanged at once, so for a
 * moment each type's pointer leads to a gate, which has both tables, and one word says for all of
 * them which is meant:
 *
 *     type A ->  gate A { before, after }            1. gates: nothing has changed yet
 *                          \    /                    2. passed = true: here all have changed
 *     type B ->  gate B ... passed                   3. the tables themselves; gates are retired
 *
 * Invariants: whoever has seen `passed` sees it ever after, and so does whoever gets a message from
 * him, as mailboxes release and acquire. A pointer is a gate only while the lock is held, so who
 * makes tables never meets one. A reader takes one table a message.
 *
 * A type whose state changes its shape is followed by another (see migrate.c), in force from the
 * same word on: `since`, which is as immortal as types are. Before that its actors rehearse, with
 * a table of its own in force, and the lock of types open.
 *
 * Threads: any that is no worker and no home, one at a time, behind the lock of types. */
#include "hold.h"
#include "migrate.h"

#include <pthread.h>

enum { TARGETS_AT_ONCE = 64 };       /* ids that one switch may take */

struct step {
	struct type *type;
	struct table *table;            /* what it is to have; with next: that of next */
	struct type *next;              /* NULL: the state stays as it is */
	struct table *before;           /* with next: what it had, before its actors rehearsed */
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* --- in force ----------------------------------------------------------------------------- */

struct gates {
	_Atomic bool passed;
	bool kept;                      /* types have `since` */
	struct step *step;              /* their tables: those that were in force */
	int n;
	struct gate gate[];
};

/* Its first table is kept, for what is taken back. (The one that a type is left with is, too.) */
static bool table_kept(const struct step *s, const struct table *old)
{
	return !s->next && old == s->type->first;
}

static void gates_free(void *arg)
{
	struct gates *g = arg;

	for (int i = 0; i < g->n; i++)
		if (!table_kept(&g->step[i], g->gate[i].before))
			table_free(g->gate[i].before);
	mem_free(g->step);
	if (!g->kept)
		mem_free(g);
}

static void one_in_force(const struct step *s)
{
	/* release: the table; partner: type_table() */
	struct table *old = atomic_exchange(&s->type->table_or_gate, s->table);

	if (!table_kept(s, old))
		worker_retire(table_free, old);
}

static struct table *all_first(const struct table *of)
{
	struct table *t = table_make(of, NULL, "", 0, NULL, NULL);

	for (uint32_t i = 0; i < t->n; i++)
		if (!entry_gone(&t->entry[i])) {
			struct entry e = t->entry[i];

			e.fn = migrate_first;
			e.code = NULL;
			table_put(t, (int)i, &e);
		}
	return t;
}

static void put_behind(struct type *t, struct type *next, uint32_t id, const struct gates *g)
{
	next->name = t->name;
	next->max_count = t->max_count;
	next->max_units = t->max_units;
	next->full = t->full;
	next->where = t->where;
	next->restart = t->restart;
	next->strategy = t->strategy;
	next->restarts = t->restarts;
	next->seconds = t->seconds;
	next->budget_ms = t->budget_ms;
	next->retry = t->retry;
	next->at_most_once = t->at_most_once;
	next->since = &g->passed;
	type_put(next, id);
	STORE_RELEASE(&t->newer, next);
}

/* 1. The next id. */
static uint32_t put_gate(const struct step *s, struct gates *g, struct gate *gate, uint32_t id)
{
	*gate = (struct gate){ &g->passed, LOAD(&s->type->table_or_gate), s->table };
	if (s->next) {
		g->kept = true;
		s->type->was = s->before;
		put_behind(s->type, s->next, id++, g);
		gate->after = all_first(s->table);
	}
	STORE_RELEASE(&s->type->table_or_gate, (struct table *)((uintptr_t)gate | 1));
	return id;
}

static void come_in_force(const struct step *s, int n)
{
	struct gates *g = mem_alloc(sizeof *g + (size_t)n * sizeof g->gate[0]);
	uint32_t first = type_place(0), id = first;

	g->n = n;
	g->step = mem_alloc((size_t)n * sizeof *s);
	for (int i = 0; i < n; i++) {
		g->step[i] = s[i];
		id = put_gate(&s[i], g, &g->gate[i], id);
	}
	STORE_RELEASE(&g->passed, true);        /* 2; partner: type_table(), type_newer() */
	for (int i = 0; i < n; i++)
		STORE_RELEASE(&s[i].type->table_or_gate, g->gate[i].after);
	if (id > first)
		type_show(id - 1);
	worker_retire(gates_free, g);
}

static void steps_take(const struct step *s, int n)
{
	for (int i = 0; i < n; i++)
		table_number(s[i].table);
	if (n == 1 && !s->next)
		one_in_force(s);
	else if (n)
		come_in_force(s, n);
}

static void unborn(void *arg)
{
	struct type *next = arg;

	code_drop(next->code);
	mem_free(next);
}

/* Somebody may be rehearsing still. */
static void steps_drop(const struct step *s, int n)
{
	for (int i = 0; i < n; i++) {
		table_free(s[i].table);
		if (s[i].next)
			worker_retire(unborn, s[i].next);
	}
}

/* --- rehearsed before --------------------------------------------------------------------- */

static bool followed(const struct step *s, int n)
{
	while (n && !s[n - 1].next)
		n--;
	return n > 0;
}

static void passages_begin(struct step *s, int n)
{
	for (int i = 0; i < n; i++)
		if (s[i].next) {
			s[i].before = LOAD(&s[i].type->table_or_gate);
			STORE_RELEASE(&s[i].type->passage, passage_new(s[i].next));
			STORE_RELEASE(&s[i].type->table_or_gate, all_first(s[i].before));
		}
}

/* back: the tables of before are in force again. */
static void passages_end(const struct step *s, int n, bool back)
{
	for (int i = 0; i < n; i++)
		if (s[i].next) {
			struct passage *p = atomic_exchange(&s[i].type->passage, NULL);

			worker_retire(mem_free, p);
			if (back)
				worker_retire(table_free, atomic_exchange(
					&s[i].type->table_or_gate, s[i].before));
		}
}

/* Under the lock, which is open meanwhile. From a seed there is nobody to wait for. */
static int rehearsal(struct step *s, int n, struct why *why)
{
	int rc = 0;

	passages_begin(s, n);
	types_unlock();
	for (int i = 0; i < n && !rc && !worker_self; i++)
		if (s[i].next)
			rc = passage_await(LOAD(&s[i].type->passage), s[i].type, why);
	types_lock();
	return rc;
}

/* All of them or, when it says why, none; then the lock is given back. */
static int steps_end(struct step *s, int n, bool check_only, int rc, struct why *why)
{
	bool moves = !rc && !check_only && followed(s, n);

	if (moves) {
		hold_gate_close();
		rc = rehearsal(s, n, why);
	}
	if (!rc && !check_only)
		steps_take(s, n);
	if (moves)
		passages_end(s, n, rc);
	if (rc || check_only)
		steps_drop(s, n);
	types_unlock();
	if (moves)
		hold_gate_open();
	for (int i = 0; moves && i < n && !rc; i++)
		if (s[i].next)
			migrate_tell(s[i].type);
	mem_free(s);
	pthread_mutex_unlock(&one_at_a_time);
	return rc;
}

static struct step *steps_begin(int n)
{
	pthread_mutex_lock(&one_at_a_time);
	types_lock();
	return mem_alloc(((size_t)n + 1) * sizeof(struct step));
}

/* --- a patch ------------------------------------------------------------------------------ */

/* What a type for a state of another shape has to bring: everything that may touch it. */
static int whole(const struct type *t, const struct actor_type *to, const struct table *made,
		 uint32_t version, struct why *why)
{
	for (uint32_t i = 0; i < made->n; i++)
		if (!entry_gone(&made->entry[i]) && made->entry[i].version != version)
			return why_set(why, ACTOR_EARGS, "%s.%s is not in the patch: one that "
				       "changes the state has to bring all handlers",
				       type_title(t), made->entry[i].name);
	if ((t->start && !to->start) || (t->stop && !to->stop))
		return why_set(why, ACTOR_EARGS,
			       "%s has a .%s: a patch that changes the state has to bring one",
			       type_title(t), t->start && !to->start ? "start" : "stop");
	return 0;
}

static struct type *type_next(const struct actor_type *t, struct code *code, struct table *table)
{
	struct type *next = mem_alloc(sizeof *next);

	*next = (struct type){ .state = t->state, .start = t->start, .stop = t->stop };
	next->code = code_hold(code);
	STORE(&next->table_or_gate, table);
	return next;
}

static int follow(struct step *s, const struct migration *m, uint32_t version, struct code *code,
                  struct why *why)
{
	if (whole(s->type, m->to, s->table, version, why) < 0)
		return ACTOR_EARGS;
	if (!type_place(TARGETS_AT_ONCE))
		return why_set(why, ACTOR_ENOMEM, "%d actor types are the limit", TYPES_MAX);
	s->next = type_next(m->to, code, s->table);
	s->next->move = m->move;
	s->next->mover = code;
	s->next->back = m->back;
	s->next->before = s->type;
	s->next->first = s->table;
	return 0;
}

static int change_make(struct step *s, const struct change *c, int i, uint32_t version,
                       struct code *code, struct why *why)
{
	struct type *t = c[i].type;

	*s = (struct step){ .type = t };
	for (int k = 0; k < i; k++)
		if (c[k].type == t)
			return why_set(why, ACTOR_EARGS, "%s stands there twice", type_title(t));
	s->table = table_make(LOAD(&t->table_or_gate), c[i].on, type_title(t), version, code, why);
	if (!s->table)
		return ACTOR_EARGS;
	if (c[i].migration && follow(s, c[i].migration, version, code, why) < 0) {
		table_free(s->table);
		return ACTOR_EARGS;
	}
	return 0;
}

int core_change(const struct change *c, int n, uint32_t version, struct code *code, bool check_only,
                struct why *why)
{
	struct step *s = steps_begin(n);
	int made = 0, rc = 0;

	while (made < n && !(rc = change_make(&s[made], c, made, version, code, why)))
		made++;
	return steps_end(s, made, check_only, rc, why);
}

/* --- and back ----------------------------------------------------------------------------- */

/* One handler of t as it is to be again. */
static int put_back(struct table *t, const struct back *b, struct why *why)
{
	int at = table_find(t, b->name, strlen(b->name));
	struct entry e;
	int first;

	if (at < 0)
		return why_set(why, ACTOR_ENOENT, "%s has no handler %s", type_title(b->type),
			       b->name);
	first = table_find(b->type->first, b->name, strlen(b->name));
	e = t->entry[at];
	if (b->on)
		e.fn = b->on->fn, e.flags = (uint16_t)b->on->flags;
	else if (first >= 0)
		e = b->type->first->entry[first];
	else
		e.fn = table_gone;
	if (b->on || first < 0) {
		e.code = b->on ? b->code : NULL;
		e.version = b->on ? b->version : 0;
	}
	table_put(t, at, &e);
	if (entry_gone(&e))
		table_reindex(t);
	return 0;
}

/* As the one before was, with the type's places: those that came since are gone. */
static int go_back(struct step *s, bool lose, struct why *why)
{
	const struct type *t = s->type, *old = t->before;

	if (!old)
		return why_set(why, ACTOR_EFAIL, "%s has the state that it began with",
		               type_title(t));
	if (!type_place(TARGETS_AT_ONCE))
		return why_set(why, ACTOR_ENOMEM, "%d actor types are the limit", TYPES_MAX);
	for (uint32_t i = 0; i < s->table->n; i++) {
		struct entry e = s->table->entry[i];

		if (i < old->was->n)
			e = old->was->entry[i];
		else
			e.fn = table_gone, e.code = NULL, e.version = 0;
		table_put(s->table, (int)i, &e);
	}
	table_reindex(s->table);
	s->next = type_next(&(struct actor_type){ .state = old->state, .start = old->start,
	                                          .stop = old->stop }, old->code, s->table);
	s->next->move = lose ? NULL : t->back;
	s->next->mover = t->code;
	s->next->back = old->back;
	s->next->before = old->before;
	s->next->first = old->first;
	return 0;
}

static struct step *step_of(struct step *s, int *n, struct type *t)
{
	for (int i = 0; i < *n; i++)
		if (s[i].type == t)
			return &s[i];
	s[*n] = (struct step){ .type = t };
	s[*n].table = table_make(LOAD(&t->table_or_gate), NULL, type_title(t), 0, NULL, NULL);
	return &s[(*n)++];
}

int core_restore(const struct back *b, int n, struct why *why)
{
	struct step *s = steps_begin(n);
	int made = 0, rc = 0;

	for (int i = 0; i < n && !rc; i++) {
		struct step *step = step_of(s, &made, b[i].type);

		rc = b[i].name ? put_back(step->table, &b[i], why) :
		     step->next ? 0 : go_back(step, b[i].lose, why);
	}
	return steps_end(s, made, false, rc, why);
}

void core_grace(void)
{
	worker_reclaim();
}
