/* SPDX-License-Identifier: MIT
 * life.c - birth and burial. */
#include "life.h"

#include <stdio.h>

#include "contain.h"
#include "draft.h"
#include "hold.h"
#include "log.h"

int (*life_place)(struct actor *a, struct why *why);

static struct { void (*tell)(void *arg, const char *name, int rc); void *arg; } first_start;

void core_on_first_start(void (*tell)(void *, const char *, int), void *arg)
{
	first_start.arg = arg;
	first_start.tell = tell;
}

/* How many, and of those without a parent. */
static _Atomic uint64_t births, roots;
enum { LOT = 64 };

const char *life_title(const struct actor *a)
{
	return type_title_of(a);
}

void *actor_state(actor *self)
{
	void *state = self->state;

	if (unlikely(cell_type(self)->state > STATE_INLINE))
		memcpy(&state, self->state, sizeof state);
	return state;
}

const char *actor_name(actor *self)
{
	struct name *name = LOAD(&self->name);

	return name ? name_text(name) : "";
}

actor_ref actor_self(actor *self)
{
	struct name *name = LOAD(&self->name);

	return name ? actor_find(name_text(name)) : cell_id(self);
}

/* --- birth -------------------------------------------------------------------------------- */

static void set_limits(struct actor *a, struct type *type)
{
	STORE_RELEASE(&a->type, type);
	STORE(&a->type_id, type->id);
	STORE(&a->max_count, type->max_count);
	STORE(&a->max_units, type->max_units);
}

static void set_state(struct actor *a, const void *init, size_t size)
{
	size_t whole = cell_type(a)->state;

	if (likely(whole <= STATE_INLINE))
		memset(a->state, 0, sizeof a->state);
	else
		memset(actor_state(a), 0, whole);
	if (size)
		memcpy(actor_state(a), init, size);
}

static bool make_state(struct actor *a, const struct spawn *s)
{
	if (s->type->state > STATE_INLINE) {
		void *state = mem_try(s->type->state);

		if (!state)
			return false;
		memcpy(a->state, &state, sizeof state);
	}
	set_state(a, s->init, s->size);
	if (s->size && !s->type->native) {      /* a restart begins with the same */
		struct kin *k = kin_of(a);

		k->state = mem_alloc(s->size);
		k->state_size = s->size;
		memcpy(k->state, s->init, s->size);
	}
	return true;
}

static void free_state(struct actor *a)
{
	void *state;

	memcpy(&state, a->state, sizeof state);
	if (cell_type(a)->state > STATE_INLINE)
		mem_free(state);
}

/* What is younger ends first: of siblings, and of those without a parent. A child's number is out
 * of a lot that its worker has drawn, as long as nobody without a parent was born since and it is
 * more than its elder siblings': a locked instruction behind all that was written to a cell is a
 * twentieth of a birth (actor-bench spawn). */
static uint64_t birth_number(struct worker *w, const struct actor *parent)
{
	const struct actor *elder = parent && parent->kin ? kin_child(parent->kin->youngest) : NULL;
	uint64_t n;

	if (!parent) {
		n = atomic_fetch_add(&births, 1);
		atomic_fetch_add(&roots, 1);
		return n;
	}
	if (unlikely(!w->births || w->roots != atomic_load(&roots)) ||
	    unlikely(elder && LOAD(&elder->born) >= w->birth)) {
		w->roots = atomic_load(&roots);
		w->birth = atomic_fetch_add(&births, LOT);
		w->births = LOT;
	}
	w->births--;
	return w->birth++;
}

/* NULL with why. */
static struct actor *conceive(struct worker *w, const struct spawn *s, struct name *name,
			      uint8_t home, struct why *why)
{
	struct actor *a = mem_refused() ? NULL : cell_new(&w->cells);

	if (!a) {
		why_set(why, ACTOR_ENOMEM,
		        "there are %u actors, as many as this node takes (actord --max-actors)",
		        cell_most());
		return NULL;
	}
	set_limits(a, s->type);
	a->kin = NULL;
	if (!make_state(a, s)) {
		cell_free(&w->cells, a);
		why_set(why, ACTOR_ENOMEM,
		        "there is no memory for a state of %zu bytes: try again later",
		        s->type->state);
		return NULL;
	}
	COUNT_UP(&w->living, 1);
	a->q = 0;
	STORE(&a->home, home);
	STORE(&a->stopping, 0);
	STORE(&a->parked, 0);
	STORE(&a->started, 0);
	STORE(&a->restarts, 0);
	STORE(&a->parent, 0);
	STORE(&a->name, name);
	a->pending = NULL;
	a->kept = (struct chain){ 0 };
	STORE(&a->held_on, 0);
	STORE(&a->asks, 0);
	if (!LOAD(&a->gen))
		STORE_RELEASE(&a->gen, 1);
	return a;
}

static void leave_ready(struct worker *w, struct actor *self, struct draft_item *i)
{
	(void)self;
	post_ready(w, i->to);
}

/* It ends before it has started; its owner sees to that, as of any. */
static void never_start(struct worker *w, struct actor *self, struct draft_item *i)
{
	(void)self;
	w->box.top = 0;
	post_order(w, cell_id(i->to), &(struct order){ FN_STOP, 0, 0, "" });
	post_ready(w, i->to);
	w->box.top = DRAFT_OPEN;
}

/* From DEAD to having its first messages: whoever finds the name before that cannot get in front of
 * start. */
static void publish(struct worker *w, struct actor *a, struct msg *init)
{
	struct msg *m = message_make(&w->pool, NULL, 0), *top = m;
	uint64_t weight = HEAD_WEIGHT(msg_units(m));

	m->next = TOP_IDLE;
	m->gen = LOAD(&a->gen);
	m->fn = FN_START;
	m->from = m->corr = 0;
	COUNT_UP(&w->sent, 1);
	if (init) {
		init->next = msg_index(m);
		weight += HEAD_WEIGHT(msg_units(init));
		top = init;
		COUNT_UP(&w->sent, 1);
	}
	STORE_RELEASE(&a->head, weight | msg_index(top));
	if (unlikely(draft_is_open(w)))
		draft_add(leave_ready, never_start)->to = a;
	else
		post_ready(w, a);
}

/* The same for one that has nothing to do at its start: it is idle at once. Whoever found the name
 * before may have left an order; partner: lane() in post.c. */
static void publish_idle(struct worker *w, struct actor *a)
{
	uint64_t idle = TOP_IDLE;

	STORE(&a->started, STARTED);
	if (likely(!LOAD(&a->name))) {
		STORE_RELEASE(&a->head, idle);
		return;
	}
	atomic_store(&a->head, idle);
	if (atomic_load(&a->control) &&
	    atomic_compare_exchange_strong(&a->head, &idle, (uint64_t)TOP_BUSY))
		post_ready(w, a);
}

static void drop_lane(struct worker *w, struct actor *a, struct why *why);

/* Nobody could do more than find its name, and leave an order. */
static void unborn(struct worker *w, struct actor *a)
{
	struct name *name = LOAD(&a->name);
	struct why why = { "" };

	if (name)
		name_unbind(name, cell_id(a));
	/* seq_cst: the generation ends before the lane is looked at; partner: sweep() in post.c */
	atomic_store(&a->gen, cell_next_gen(LOAD(&a->gen)));
	drop_lane(w, a, &why);
	free_state(a);
	kin_free(a);
	COUNT_UP(&w->living, -1);
	cell_free(&w->cells, a);
}

/* The values of its `init`, kept for restarts too. */
static int first_message(struct worker *w, struct actor *a, const struct birth *b,
			 struct why *why, struct msg **m)
{
	struct arg args[16];
	struct kin *k = kin_of(a);
	int rc;

	args_of_site(args, b->types, b->values, b->n);
	rc = send_prepare(w, a, "init", args, (unsigned)b->n, why, m);
	if (rc < 0)
		return rc;
	(*m)->from = b->parent ? cell_id(b->parent) : 0;
	message_pack(*m, 0, &k->init);
	k->init_count = (*m)->n;
	return 0;
}

struct msg *life_init(struct worker *w, struct actor *a)
{
	struct kin *k = a->kin;
	struct arg args[VALUES_MAX];
	struct packed in;
	struct msg *m;

	if (!k || !k->init_count)
		return NULL;
	in = packed_of(&k->init);
	if (args_of_packed(args, in, k->init_count, NULL) < 0 ||
	    send_prepare(w, a, "init", args, k->init_count, NULL, &m) < 0)
		return NULL;
	m->from = LOAD(&a->parent);
	return m;
}

static int taken(const char *name, struct why *why)
{
	return why_set(why, ACTOR_EFAIL, "there is an actor named %s already",
		       *name ? name : "\"\"");
}

/* What may still fail, and is undone by unborn(). */
static int prepare(struct worker *w, struct actor *a, const struct spawn *s, const struct birth *b,
		   struct msg **init, struct why *why)
{
	int rc = b->n ? first_message(w, a, b, why, init) : 0;

	if (!rc && s->name && !name_bind(LOAD(&a->name), cell_id(a)))
		rc = taken(s->name, why);
	if (!rc && unlikely(s->type->where) && !b->home && life_place) {
		worker_release(w);              /* it may make a thread, which takes a while */
		rc = life_place(a, why);
		worker_acquire();
	}
	if (rc < 0 && *init)
		message_free(&w->pool, *init);
	return rc;
}

/* The id, or 0 with *rc and why. */
static actor_id born(struct worker *w, const struct spawn *s, const struct birth *b,
		     struct name *name, int *rc, struct why *why)
{
	struct actor *a = conceive(w, s, name, b->home, why);
	struct msg *init = NULL;
	actor_id id;

	*rc = ACTOR_ENOMEM;
	if (!a)
		return 0;
	STORE(&a->born, birth_number(w, b->parent));
	*rc = prepare(w, a, s, b, &init, why);
	if (*rc < 0) {
		unborn(w, a);
		return 0;
	}
	id = cell_id(a);
	if (b->parent)
		kin_bear(b->parent, a);
	if (likely(!s->type->start && !init) && !draft_is_open(w))
		publish_idle(w, a);
	else
		publish(w, a, init);
	return id;
}

int life_spawn(const struct spawn *s, const struct birth *b, actor_id *id, struct why *why)
{
	struct name *name = s->name ? name_of(s->name, strlen(s->name)) : NULL;
	struct worker *w;
	int rc;

	if (s->name && !name && strlen(s->name) <= NAME_MAX_LEN)
		return why_set(why, ACTOR_ENOMEM, "%d names have been in use, which is the limit "
			       "until the node starts anew: names are kept for good", NAMES_GIVEN);
	if (s->name && (!name || name_foreign(name)))
		return why_set(why, ACTOR_EARGS,
			       "an actor's name has at most %d bytes and does not begin with list:",
			       NAME_MAX_LEN);
	if (name && name_bearer(name))
		return taken(s->name, why);
	w = worker_acquire();
	*id = born(w, s, b, name, &rc, why);
	worker_release(w);
	if (name && !rc)
		name_changed();
	return rc;
}

void life_start(struct worker *w, struct actor *a)
{
	struct type *type = cell_type(a);
	struct why why;
	int rc;

	STORE(&a->started, STARTED);
	STORE(&w->handler, "start");
	rc = type->start
		     ? contain_call(a, (void *)(uintptr_t)type->start, type->code, "start", &why)
		     : 0;
	if (unlikely(w->outs))
		life_drop_outs(w);
	if (unlikely(!LOAD(&a->parent) && LOAD(&a->name)) && !LOAD(&a->restarts) &&
	    first_start.tell)
		first_start.tell(first_start.arg, name_text(LOAD(&a->name)), rc < 0 ? rc : 0);
	if (rc >= 0)
		return;
	log_line(LOG_ERROR, "actor", "%s: start failed: %s%s", life_title(a), error_name(rc),
	         LOAD(&a->restarts) ? "" : ": the actor has ended");
	snprintf(kin_of(a)->reason, sizeof kin_of(a)->reason, "start failed: %s", error_name(rc));
	STORE(&a->started, 0);
	kin_end(a, END_TOLD);
}

void life_renew(struct actor *a)
{
	struct kin *k = a->kin;
	struct name *name = LOAD(&a->name);
	uint64_t before = cell_id(a);

	set_state(a, k ? k->state : NULL, k ? k->state_size : 0);
	if (k)
		memory_drop(&k->memory);
	COUNT_UP(&a->restarts, 1);
	/* Partner: target_find(), which waits where a name's bearer is of a generation that has
	 * just ended. */
	STORE_RELEASE(&a->gen, cell_next_gen(LOAD(&a->gen)));
	if (name)
		name_rebind(name, before, cell_id(a));
}

/* --- burial ------------------------------------------------------------------------------- */

/* In words, once somebody is to be told: most end with nobody who waits. */
static const char *ended(const struct actor *a, struct why *why)
{
	if (!*why->text)
		why_set(why, 0, "%s has ended", life_title(a));
	return why->text;
}

/* Oldest first, as a mark says what of all that is in front of it. */
static void drop_chain(struct worker *w, struct actor *a, uint32_t i, struct why *why)
{
	while (i) {
		struct msg *m = msg_at(i);

		i = m->next;
		post_dead(w, a, m, ended(a, why));
		message_free(&w->pool, m);
	}
}

static void drop_lane(struct worker *w, struct actor *a, struct why *why)
{
	if (atomic_load(&a->control))           /* partner: lane() in post.c */
		drop_chain(w, a, msg_in_order(atomic_exchange(&a->control, 0), 0), why);
}

void life_stop(struct worker *w, struct actor *a)
{
	struct type *type = cell_type(a);
	struct why why;

	STORE(&w->handler, "stop");
	if (LOAD(&a->started) && type->stop)
		contain_call(a, (void *)(uintptr_t)type->stop, type->code, "stop", &why);
	STORE(&a->started, 0);
	if (unlikely(w->outs))
		life_drop_outs(w);
}

void life_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep)
{
	struct name *name = LOAD(&a->name);
	uint64_t h, parent = LOAD(&a->parent);
	struct why why;

	*why.text = 0;
	life_stop(w, a);
	if (unlikely(LOAD(&a->held_on)))
		hold_give_up(w, a);
	if (a->pending)
		ask_bury(w, a, ended(a, &why));
	if (name) {
		name_unbind(name, cell_id(a));
		name_changed();
	}
	/* Before DEAD: who finds that and the generation it meant has met a newborn. Partner:
	 * sweep() in post.c. */
	STORE_RELEASE(&a->gen, cell_next_gen(LOAD(&a->gen)));
	/* seq_cst: dead before waiters is looked at; partner: wait_for() in hold.c. */
	h = atomic_exchange(&a->head, (uint64_t)TOP_DEAD);
	if (atomic_load(&a->waiters))
		hold_release(w, a);
	drop_lane(w, a, &why);
	if (unlikely(queue))
		drop_chain(w, a, queue, &why);
	if (unlikely(HEAD_TOP(h) != keep))
		drop_chain(w, a, msg_in_order(HEAD_TOP(h), keep), &why);
	free_state(a);
	kin_free(a);
	w->buried = true;
	COUNT_UP(&w->living, -1);
	if (!parent || !post_ended(w, parent, cell_index(a)))
		cell_free(&w->cells, a);
}

void core_end(actor_id id)
{
	struct worker *w = worker_acquire();
	actor *self = LOAD(&w->actor);

	if (self && cell_id(self) == id)
		kin_end(self, END_TOLD);
	else
		post_order(w, id, &(struct order){ FN_STOP, 0, 0, "" });
	worker_release(w);
}

/* --- who is there ------------------------------------------------------------------------- */

actor *core_actor(actor_id id)
{
	struct target t;

	return target_find(id, &t, NULL) < 0 ? NULL : t.cell;
}

bool core_alive(actor_ref ref)
{
	struct target t;

	return target_here(ref, &t, NULL) == 0;
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
	n = target_find(ref, &t, NULL) < 0 ? NULL : LOAD(&t.cell->name);
	return n ? name_text(n) : NULL;
}
