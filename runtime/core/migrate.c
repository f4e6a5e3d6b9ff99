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
 * Threads: the actor's owner's, but for migrate_tell(), which is any. */
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

/* One that has not started yet has nothing but what it begins with. */
static int make_state(struct actor *a, struct type *next, void *state)
{
	struct kin *k = a->kin;
	bool begun = LOAD(&a->started);
	int rc = next->move && begun ? next->move(state_of(a), state) : 0;

	rc = rc ? rc : move_init(a, next);
	if (!rc && !begun && k && k->state)
		memcpy(state, k->state, k->state_size);
	return rc;
}

static bool step(struct actor *a, struct type *next)
{
	void *state = mem_alloc(next->state + 1);
	int rc = make_state(a, next, state);

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

	while ((next = type_newer(cell_type(a))) && step(a, next))
		;
}

int migrate_first(actor *self, const msg *m)
{
	const char *name = LOAD(&worker_self->handler);
	struct table *t;
	int fn;

	migrate_actor(self);
	if (LOAD(&self->stopping))
		return ACTOR_ENOENT;
	t = type_table(cell_type(self));
	fn = table_find(t, name, strlen(name));
	return fn < 0 ? ACTOR_ENOENT : t->entry[fn].fn(self, m);
}

void migrate_tell(const struct type *t)
{
	struct worker *w = worker_acquire();

	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD && cell_type(a) == t)
			post_order(w, cell_id(a), &(struct order){ .fn = FN_MIGRATE, .text = "" });
	}
	worker_release(w);
}

bool core_can_go_back(const struct type *t)
{
	return t->before && t->back;
}

struct type *core_before(const struct type *t)
{
	return t->before;
}
