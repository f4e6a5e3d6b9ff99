/* SPDX-License-Identifier: MIT
 * migrate.c - a state of another shape, for every actor of a type.
 *
 * The type is followed by a new one, with the new size, handlers, start and stop. The handlers'
 * places are the same, so what waits in mailboxes, timers and asks goes on.
 *
 * First each actor rehearses: between two of its messages it makes the new state, for trial, and
 * lets it go again. From then on what comes to it waits at the gate (hold.h), so its state stays
 * as it is until it is known of all that they can, and the followers come in force for all types
 * at one point; or until one cannot, and all is as it was. Nothing but the actors' own functions is
 * run meanwhile. Then each goes over, between two of its messages: it is told to by a message of
 * the control lane, and in any case before it handles the next one, as its type's table has
 * migrate_first() in each place. So whoever gets a message that new code has sent has gone over,
 * or goes over first. Who was born too late to rehearse, or may block (ACTOR_THREAD), just goes
 * over; where it cannot it fails, and its supervisor decides.
 *
 * What an actor's code reads as its state goes by its own type, so old code that is running has its
 * old state until it returns. Types are never freed.
 *
 * Threads: the actor's owner's, but for migrate_tell(), passage_new() and passage_await(). */
#include "migrate.h"

#include <time.h>

#include "contain.h"
#include "kin.h"
#include "ports.h"

enum { PATIENCE_MS = 5000 };

struct seat { _Atomic uint32_t ready; uint32_t told; }; /* generations; told: who awaits */

struct passage {
	const struct type *next;
	_Atomic int state;              /* enum: who cannot goes from GOES to FAILS to FAILED */
	struct why why;
	uint32_t cells;
	struct seat seat[];
};
enum { GOES, FAILS, FAILED };

static void *state_of(struct actor *a)
{
	void *state = a->state;

	if (cell_type(a)->state > STATE_INLINE)
		memcpy(&state, a->state, sizeof state);
	return state;
}

/* --- the new state ------------------------------------------------------------------------ */

/* What a is to have, and what a restart begins with; NULL: nothing. */
struct moved { void *state, *init; };

static void moved_free(struct moved *m)
{
	mem_free(m->state);
	mem_free(m->init);
}

static int move(struct actor *a, const struct type *next, const void *from, void *to,
		struct why *why)
{
	int rc = contain_move(a, next->move, from, to, next->mover, why);

	if (rc && !*why->text)
		why_set(why, 0, "%s.migrate returned %d", type_title(cell_type(a)), rc);
	return rc ? ACTOR_EFAIL : 0;
}

/* What a restart begins with has the old shape too. */
static int move_init(struct actor *a, const struct type *next, struct moved *m, struct why *why)
{
	struct kin *k = a->kin;
	unsigned char *from;
	int rc;

	if (!k || !k->state_size || !next->move)
		return 0;
	from = mem_alloc(cell_type(a)->state + 1);
	memcpy(from, k->state, k->state_size);
	m->init = mem_alloc(next->state + 1);
	rc = move(a, next, from, m->init, why);
	mem_free(from);
	return rc;
}

/* One that has not started yet has nothing but what it begins with. */
static int make(struct actor *a, const struct type *next, struct moved *m, struct why *why)
{
	bool begun = LOAD(&a->started);
	int rc;

	*m = (struct moved){ mem_alloc(next->state + 1), NULL };
	rc = next->move && begun ? move(a, next, state_of(a), m->state, why) : 0;
	rc = rc ? rc : move_init(a, next, m, why);
	if (!rc && !begun && m->init)
		memcpy(m->state, m->init, next->state);
	return rc;
}

/* Takes m. */
static void take(struct actor *a, struct type *next, struct moved *m)
{
	if (cell_type(a)->state > STATE_INLINE)
		mem_free(state_of(a));
	memset(a->state, 0, sizeof a->state);
	if (next->state > STATE_INLINE)
		memcpy(a->state, &m->state, sizeof m->state);
	else
		memcpy(a->state, m->state, next->state);
	if (next->state > STATE_INLINE)
		m->state = NULL;
	if (m->init) {
		mem_free(a->kin->state);
		a->kin->state = m->init;
		a->kin->state_size = next->state;
		m->init = NULL;
	}
	moved_free(m);
	STORE_RELEASE(&a->type, next);            /* partner: cell_type() */
	STORE(&a->type_id, next->id);
	STORE(&a->max_count, next->max_count);
	STORE(&a->max_units, next->max_units);
}

static bool step(struct actor *a, struct type *next)
{
	struct why why = { "" };
	struct moved m;
	int rc = make(a, next, &m, &why);

	take(a, next, &m);
	if (!rc && !next->move && LOAD(&a->started) && next->start) {
		rc = contain_call(a, (void *)(uintptr_t)next->start, next->code, "start", &why);
		if (rc && !*why.text)
			why_set(&why, 0, "start returned %d", rc);
	}
	if (rc)
		kin_fail(a, "its state could not be taken over: %s", why.text);
	return !rc;
}

/* --- for trial ---------------------------------------------------------------------------- */

static void rehearse(struct actor *a, struct passage *p)
{
	uint32_t i = cell_index(a);
	struct why why = { "" };
	struct moved m;
	int goes = GOES;

	if (i < p->cells && LOAD(&p->seat[i].ready) == LOAD(&a->gen))
		return;
	if (make(a, p->next, &m, &why) && CAS(&p->state, &goes, FAILS)) {
		p->why = why;
		STORE_RELEASE(&p->state, FAILED);       /* partner: passage_await() */
	}
	moved_free(&m);
	if (i < p->cells)
		STORE_RELEASE(&p->seat[i].ready, LOAD(&a->gen));
}

struct passage *passage_new(const struct type *next)
{
	uint32_t n = cell_count();
	struct passage *p = mem_alloc(sizeof *p + n * sizeof p->seat[0]);

	p->next = next;
	p->cells = n;
	return p;
}

static void order(struct actor *a)
{
	struct worker *w = worker_acquire();

	post_order(w, cell_id(a), &(struct order){ .fn = FN_MIGRATE, .text = "" });
	worker_release(w);
}

/* Cell i has nobody any more who is to rehearse, or did. Who is there and was not told is. */
static bool seated(struct passage *p, uint32_t i, const struct type *t)
{
	struct actor *a = cell_at(i);
	uint32_t gen = LOAD_ACQUIRE(&a->gen);

	if (HEAD_TOP(LOAD_ACQUIRE(&a->head)) == TOP_DEAD || cell_type(a) != t ||
	    LOAD(&a->stopping) || LOAD_ACQUIRE(&p->seat[i].ready) == gen)
		return true;
	if (p->seat[i].told != gen)
		order(a);
	p->seat[i].told = gen;
	return false;
}

static int not_in_time(const struct actor *a, struct why *why)
{
	struct name *name = LOAD(&a->name);
	const char *title = name && *name_text(name) ? name_text(name) : type_title(cell_type(a));

	return why_set(why, ACTOR_ETIME,
		       "%s is still inside a handler after %d ms: its state cannot be moved now",
		       title, PATIENCE_MS);
}

/* Longer and longer, as one that computes may do so for a while. */
static int await(struct passage *p, uint32_t i, const struct type *t, int64_t until_ms,
		 struct why *why)
{
	struct timespec pause = { .tv_nsec = 20000 };

	while (!seated(p, i, t)) {
		if (LOAD(&p->state) != GOES)
			return 0;
		if (now_ms() > until_ms)
			return not_in_time(cell_at(i), why);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 1000000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

int passage_await(struct passage *p, const struct type *t, struct why *why)
{
	int64_t until_ms = now_ms() + PATIENCE_MS;
	int state, rc = 0;

	if (t->where == ACTOR_THREAD || !p->next->move)
		return 0;
	for (uint32_t i = 1; i < p->cells; i++)
		seated(p, i, t);
	for (uint32_t i = 1; i < p->cells && !rc && LOAD(&p->state) == GOES; i++)
		rc = await(p, i, t, until_ms, why);
	while ((state = LOAD_ACQUIRE(&p->state)) == FAILS)
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	return state == FAILED ? why_set(why, ACTOR_EFAIL, "%s", p->why.text) : rc;
}

/* --- going over --------------------------------------------------------------------------- */

void migrate_actor(struct actor *a)
{
	struct type *next;
	struct passage *p;

	while ((next = type_newer(cell_type(a))) && step(a, next))
		;
	p = LOAD_ACQUIRE(&cell_type(a)->passage);       /* partner: passages_begin() */
	if (p && !LOAD(&a->stopping))
		rehearse(a, p);
}

int migrate_first(actor *self, const msg *m)
{
	struct worker *w = worker_self;
	const char *name = LOAD(&w->handler);
	struct type *t = cell_type(self);
	const struct entry *e;
	struct table *tab;
	int fn;

	migrate_actor(self);
	if (LOAD(&self->stopping))
		return ACTOR_ENOENT;
	t = cell_type(self);
	tab = type_table(t);
	fn = table_find(tab, name, strlen(name));
	if (fn < 0)
		return table_gone(self, m);
	e = &tab->entry[fn];
	if (e->fn == migrate_first)
		return contain_wait(w, self, (struct msg *)(uintptr_t)m, e) ? 0
		       : msg_fail(m, "there is no memory to keep it until its state has moved");
	return e->code ? contain_handler(w, self, (struct msg *)(uintptr_t)m, e) : e->fn(self, m);
}

void migrate_tell(const struct type *t)
{
	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD && cell_type(a) == t)
			order(a);
	}
}

bool core_can_go_back(const struct type *t)
{
	return t->before && t->back;
}

struct type *core_before(const struct type *t)
{
	return t->before;
}
