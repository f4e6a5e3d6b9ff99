/* SPDX-License-Identifier: MIT
 * life.c - birth and burial. */
#include "life.h"

#include "hold.h"
#include "log.h"

int (*life_place)(struct actor *a, struct why *why);

static _Atomic uint64_t births;

const char *life_title(const struct actor *a)
{
	struct name *name = LOAD(&a->name);     /* once: who looks on may meet another birth */

	return name && *name_text(name) ? name_text(name) : type_title(LOAD(&a->type));
}

void *actor_state(actor *self)
{
	void *state = self->state;

	if (unlikely(LOAD(&self->type)->state > STATE_INLINE))
		memcpy(&state, self->state, sizeof state);
	return state;
}

const char *actor_name(actor *self)
{
	return self->name ? name_text(self->name) : "";
}

actor_ref actor_self(actor *self)
{
	return self->name ? actor_find(name_text(self->name)) : cell_id(self);
}

/* --- birth ------------------------------------------------------------------------------------------- */

static void set_limits(struct actor *a, struct type *type)
{
	STORE(&a->type, type);
	STORE(&a->type_id, type->id);
	STORE(&a->max_count, type->max_count);
	STORE(&a->max_units, type->max_units);
}

static bool set_state(struct actor *a, const struct spawn *s)
{
	void *state = a->state;

	memset(a->state, 0, sizeof a->state);
	if (s->type->state > STATE_INLINE) {
		state = mem_try(s->type->state);
		if (!state)
			return false;
		memcpy(a->state, &state, sizeof state);
	}
	if (s->size)
		memcpy(state, s->init, s->size);
	return true;
}

static void free_state(struct actor *a)
{
	void *state;

	memcpy(&state, a->state, sizeof state);
	if (LOAD(&a->type)->state > STATE_INLINE)
		mem_free(state);
}

static struct actor *conceive(const struct spawn *s, uint8_t home)
{
	struct actor *a = mem_refused() ? NULL : cell_new();

	if (!a)
		return NULL;
	if (!set_state(a, s)) {
		cell_free(a);
		return NULL;
	}
	set_limits(a, s->type);
	a->q = 0;
	STORE(&a->home, home);
	STORE(&a->stopping, 0);
	STORE(&a->started, 0);
	STORE(&a->name, s->name ? name_of(s->name, strlen(s->name)) : NULL);
	a->pending = NULL;
	a->kept = (struct chain){ 0 };
	STORE(&a->held_on, 0);
	STORE(&a->born, atomic_fetch_add(&births, 1));
	STORE(&a->asks, 0);
	if (!LOAD(&a->gen))
		STORE_RELEASE(&a->gen, 1);
	return a;
}

/* From DEAD to having one message: whoever finds the name before that cannot get in front of start. */
static void publish(struct worker *w, struct actor *a)
{
	struct msg *m = message_make(&w->pool, NULL, 0);

	m->next = TOP_IDLE;
	m->gen = LOAD(&a->gen);
	m->fn = FN_START;
	m->from = m->corr = 0;
	COUNT_UP(&w->sent, 1);
	STORE_RELEASE(&a->head, HEAD_WEIGHT(msg_units(m)) | msg_index(m));
	post_ready(w, a);
}

static int taken(const char *name, struct why *why)
{
	return why_set(why, ACTOR_EFAIL, "there is an actor named %s already", *name ? name : "\"\"");
}

int life_spawn(const struct spawn *s, uint8_t home, actor_id *id, struct why *why)
{
	struct name *name = s->name ? name_of(s->name, strlen(s->name)) : NULL;
	struct worker *w;
	struct actor *a;
	int rc;

	if (s->name && (!name || name_foreign(name)))
		return why_set(why, ACTOR_EARGS, "an actor's name has at most %d bytes and does not begin with list:",
		               NAME_MAX_LEN);
	if (name && name_bearer(name))
		return taken(s->name, why);
	a = conceive(s, home);
	if (!a)
		return why_set(why, ACTOR_ENOMEM,
		               "the limit of actors is reached, or there is no memory for one more");
	*id = cell_id(a);
	if (name && !name_bind(name, *id)) {
		free_state(a);
		cell_free(a);
		return taken(s->name, why);
	}
	rc = s->type->where && !home && life_place ? life_place(a, why) : 0;
	if (unlikely(rc < 0)) {
		if (name)
			name_unbind(name, *id);
		free_state(a);
		cell_free(a);
		return rc;
	}
	w = worker_acquire();
	publish(w, a);
	worker_release(w);
	if (name)
		name_changed();
	return 0;
}

void life_start(struct worker *w, struct actor *a)
{
	struct type *type = LOAD(&a->type);
	int rc;

	STORE(&a->started, 1);
	STORE(&w->handler, "start");
	rc = type->start ? type->start(a) : 0;
	if (unlikely(w->outs))
		life_drop_outs(w);
	if (rc >= 0)
		return;
	log_line(LOG_ERROR, "actor", "%s: start failed: %s: the actor has ended", life_title(a), error_name(rc));
	STORE(&a->started, 0);
	STORE(&a->stopping, 1);
}

/* --- burial ------------------------------------------------------------------------------------------- */

/* keep: the message being handled where it hangs, the oldest of its chain; it stays its handler's. */
static void drop_chain(struct worker *w, uint32_t i, uint32_t keep, const char *reason)
{
	while (i >= MSG_FIRST && i != keep) {
		struct msg *m = msg_at(i);

		i = m->next;
		post_dead(w, m, reason);
		message_free(&w->pool, m);
	}
}

void life_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep)
{
	struct type *type = LOAD(&a->type);
	struct why why;
	uint64_t h;

	STORE(&w->handler, "stop");
	if (LOAD(&a->started) && type->stop)
		type->stop(a);
	if (unlikely(w->outs))
		life_drop_outs(w);
	why_set(&why, 0, "%s has ended", life_title(a));
	if (unlikely(LOAD(&a->held_on)))
		hold_give_up(w, a);
	ask_bury(w, a, why.text);
	if (a->name) {
		name_unbind(a->name, cell_id(a));
		name_changed();
	}
	/* seq_cst: dead before waiters is looked at; partner: wait_for() in hold.c. */
	h = atomic_exchange(&a->head, (uint64_t)TOP_DEAD);
	if (atomic_load(&a->waiters))
		hold_release(w, a);
	drop_chain(w, atomic_exchange(&a->control, 0), 0, why.text);
	drop_chain(w, queue, 0, why.text);
	drop_chain(w, HEAD_TOP(h), keep, why.text);
	free_state(a);
	w->buried = true;
	/* Thirty-one bits: the top one tells a name from an incarnation. */
	STORE_RELEASE(&a->gen, LOAD(&a->gen) % 0x7fffffff + 1);
	cell_free(a);
}

void core_end(actor *self)
{
	struct worker *w = worker_acquire();

	if (LOAD(&w->actor) == self)
		STORE(&self->stopping, 1);
	else
		post_control(w, cell_id(self), FN_STOP);
	worker_release(w);
}

/* --- who is there ---------------------------------------------------------------------------------------- */

actor *core_actor(actor_id id)
{
	struct target t;

	return target_find(id, &t, NULL) < 0 ? NULL : t.cell;
}

bool core_alive(actor_ref ref)
{
	struct target t;

	return target_find(ref, &t, NULL) == 0;
}

int actor_alive(actor_ref ref)
{
	return core_alive(ref);
}

void core_names(void (*each)(void *, const char *), void *arg)
{
	for (uint32_t i = 0; i < name_count(); i++) {
		struct name *n = name_at(i);

		if (name_bearer(n))
			each(arg, name_text(n));
	}
}

void core_on_names(void (*changed)(void *), void *arg)
{
	name_on_change(changed, arg);
}

const char *core_ref_name(actor_ref ref)
{
	struct target t;
	struct name *n = ref >> 63 ? name_at((uint32_t)ref) : NULL;

	if (n)
		return name_text(n);
	if (target_find(ref, &t, NULL) < 0 || !t.cell->name)
		return NULL;
	return name_text(t.cell->name);
}
