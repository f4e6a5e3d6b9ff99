/* SPDX-License-Identifier: MIT
 * migrate.c - a state of another shape, for every actor of a type.
 *
 * The type is followed by a new one, with the new size, handlers, start and stop. The handlers'
 * places are
 * the same, so what waits in mailboxes, timers and asks go on. Each actor goes over between two
 * of its own
 * messages: it is told to by a message of the control lane, and in any case before it handles
 * the next one,
 * as the old type's table has migrate_first() in each place. That table comes into force for all
 * at one
 * moment, so whoever gets a message that new code has sent has gone over, or goes over first.
 *
 * What an actor's code reads as its state goes by its own type, so old code that is running has
 * its old
 * state until it returns. Types are never freed.
 *
 * Threads: core_migrate() any that is no worker; the rest is the actor's owner's. */
#include "migrate.h"

#include "kin.h"

static void *state_of(struct actor *a)
{
	void *state = a->state;

	if (cell_type(a)->state > STATE_INLINE)
		memcpy(&state, a->state, sizeof state);
	return state;
}

static void put_state(struct actor *a, struct type *next, void *state)
{
	if (cell_type(a)->state > STATE_INLINE)
		mem_free(state_of(a));
	memset(a->state, 0, sizeof a->state);
	if (next->state > STATE_INLINE) {
		memcpy(a->state, &state, sizeof state);
	} else {
		memcpy(a->state, state, next->state);
		mem_free(state);
	}
	STORE_RELEASE(&a->type, next);            /* partner: cell_type() */
	STORE(&a->type_id, next->id);
	STORE(&a->max_count, next->max_count);
	STORE(&a->max_units, next->max_units);
}

/* What a restart begins with has the old shape too. */
static int move_init(struct actor *a, struct type *next)
{
	struct kin *k = a->kin;
	unsigned char *from, *to;
	int rc;

	if (!k || !k->state_size || !next->move)
		return 0;
	from = mem_alloc(cell_type(a)->state + 1);
	to = mem_alloc(next->state + 1);
	memcpy(from, k->state, k->state_size);
	rc = next->move(from, to);
	mem_free(from);
	mem_free(k->state);
	k->state = to;
	k->state_size = next->state;
	return rc;
}

static bool step(struct actor *a, struct type *next)
{
	void *state = mem_alloc(next->state + 1);
	int rc = next->move ? next->move(state_of(a), state) : 0;

	rc = rc ? rc : move_init(a, next);
	put_state(a, next, state);
	if (!rc && !next->move && LOAD(&a->started) && next->start)
		rc = next->start(a);
	if (rc)
		kin_fail(a, "its state could not be taken over: %s returned %d",
		         next->move ? "migrate" : "start", rc);
	return !rc;
}

void migrate_actor(struct actor *a)
{
	struct type *next;

	while ((next = LOAD_ACQUIRE(&cell_type(a)->newer)) && step(a, next))
		;
}

static int migrate_first(actor *self, const msg *m)
{
	const char *name = LOAD(&worker_self->handler);
	struct table *t;
	int fn;

	migrate_actor(self);
	if (LOAD(&self->stopping))
		return ACTOR_ENOENT;
	t = LOAD_ACQUIRE(&cell_type(self)->table);
	fn = table_find(t, name, strlen(name));
	return fn < 0 ? ACTOR_ENOENT : t->entry[fn].fn(self, m);
}

static void tell_all(const struct type *t)
{
	struct worker *w = worker_acquire();

	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD && cell_type(a) == t)
			post_order(w, cell_id(a), &(struct order){ .fn = FN_MIGRATE, .text = "" });
	}
	worker_release(w);
}

struct type *core_migrate(struct type *t, const struct migration *m, uint32_t version,
                          struct code *code,
                          bool check_only, struct why *why)
{
	struct succession s = { .to = m->to, .move = m->move, .back = m->back, .version = version,
	                       .code = code,
	                        .first = migrate_first, .check_only = check_only };
	struct type *next = type_succeed(t, &s, why);

	if (next && !check_only)
		tell_all(t);
	return next;
}

bool core_can_go_back(const struct type *t)
{
	return t->before && t->back;
}

struct type *core_before(const struct type *t)
{
	return t->before;
}

struct type *core_migrate_back(struct type *t, bool lose, struct why *why)
{
	struct succession s = { .move = lose ? NULL : t->back, .first = migrate_first };
	struct type *next;

	if (!t->before) {
		why_set(why, ACTOR_EFAIL, "%s has the state that it began with", type_title(t));
		return NULL;
	}
	next = type_succeed(t, &s, why);
	if (next)
		tell_all(t);
	return next;
}
