/* SPDX-License-Identifier: MIT
 * post.c - pushing what the limits do not hold back. */
#include "post.h"

#include "draft.h"
#include "lease.h"
#include "letters.h"
#include "trace.h"

void (*post_ready)(struct worker *w, struct actor *a);
void (*post_held)(struct worker *w, struct actor *a);

/* What lives at a home has one thread that runs it, so nobody comes between that and it. */
COLD bool post_stays(struct worker *w, struct actor *a)
{
	if (!w->pooled || LOAD(&a->home) == HOME_POOL)
		return true;
	post_ready(w, a);
	return false;
}

static void leave_beyond(struct worker *w, struct actor *self, struct draft_item *i)
{
	(void)self;
	if (post_beyond(w, i->to, i->m) < 0)
		COUNT_UP(&w->late, 1);
}

static void lane(struct worker *w, struct actor *a, struct msg *m);

static int push(struct worker *w, struct actor *a, struct msg *m, enum room room)
{
	enum push said = cell_push(a, msg_index(m), m, HEAD_WEIGHT(msg_units(m)), room);

	if (unlikely(said == PUSH_FULL && room == ROOM_PROMISED)) {
		lane(w, a, m);
		return 0;
	}
	if (unlikely(said >= PUSH_FULL)) {
		message_free(&w->pool, m);
		return said == PUSH_FULL ? ACTOR_EFULL : ACTOR_ENOENT;
	}
	return post_pushed(w, a, said);
}

/* Behind what has gathered for a, where there is room for both. */
static COLD int join_beyond(struct worker *w, struct actor *a, struct msg *m, enum room room)
{
	uint64_t h = LOAD(&a->head), gathered;

	if (w->box.top && w->box_to != a)
		post_box(w);
	gathered = w->box.top ? w->box.weight : 0;
	if (HEAD_TOP(h) != TOP_DEAD && msg_units(m) <= BOX_UNITS &&
	    cell_takes(a, h + gathered, HEAD_WEIGHT(msg_units(m)), room)) {
		post_join(w, a, m);
		return 0;
	}
	if (w->box.top)
		post_box(w);
	return push(w, a, m, room);
}

int post_beyond(struct worker *w, struct actor *a, struct msg *m)
{
	if (unlikely(w->in_handler & IN_GATHERING))
		return join_beyond(w, a, m, ROOM_PROMISED);
	if (unlikely(w->box.top)) {
		if (draft_is_open(w)) {
			draft_message(leave_beyond, a, m);
			return 0;
		}
		post_box(w);                    /* what was sent before goes before */
	}
	return push(w, a, m, ROOM_PROMISED);
}

int post_mark(struct worker *w, struct actor *a, struct msg *m)
{
	if (w->in_handler & IN_GATHERING)
		return join_beyond(w, a, m, ROOM_MARK);
	if (w->box.top)
		post_box(w);
	return push(w, a, m, ROOM_MARK);
}

void post_special(struct worker *w, uint64_t id, uint16_t fn, uint64_t corr)
{
	struct actor *a = cell_at((uint32_t)id);
	struct msg *m;

	if (LOAD_ACQUIRE(&a->gen) != id >> 32)
		return;
	m = message_make(&w->pool, NULL, 0);
	m->gen = (uint32_t)(id >> 32);
	m->from = 0;
	m->fn = fn;
	m->corr = corr;
	if (fn == FN_STOP)
		post_mark(w, a, m);
	else
		post_beyond(w, a, m);
}

void post_answer(struct worker *w, uint64_t to, uint64_t corr, const struct arg *args, unsigned n,
		 int code, const char *text)
{
	struct actor *a = cell_at((uint32_t)to);
	struct arg error[2] = {
		{ .type = VALUE_INT, .bits = (uint64_t)(int64_t)code },
		{ .type = VALUE_STR, .p = text, .len = text ? (uint32_t)strlen(text) : 0 },
	};
	struct msg *m;

	if (!corr)
		return;
	if (LOAD_ACQUIRE(&a->gen) != to >> 32) {
		COUNT_UP(&w->late, 1);
		return;
	}
	m = message_make(&w->pool, code ? error : args, code ? 2 : n);
	if (!m) {
		post_answer(w, to, corr, NULL, 0, ACTOR_EFAIL,
		            "the answer is over 16 MiB, or there is no memory for it");
		return;
	}
	m->flags |= MSG_ANSWER | (code ? MSG_ERR : 0) | (uint8_t)(w->origin << MSG_ORIGIN_SHIFT);
	m->gen = (uint32_t)(to >> 32);
	m->from = w->actor ? cell_id(LOAD(&w->actor)) : 0;
	m->fn = FN_ANSWER;
	m->sig = 0;
	m->corr = corr;
	if (unlikely(w->span))
		m = trace_out(w, a, m);
	if (post_beyond(w, a, m) < 0)
		COUNT_UP(&w->late, 1);
}

COLD bool post_under_lease(struct worker *w, struct msg *m)
{
	uint64_t number;
	bool holds = lease_off(m, &number);

	if (!holds) {
		m->corr = 0;
		post_answer(w, m->from, number, NULL, 0, CORE_LAPSED, "its lease has lapsed");
	}
	return holds;
}

/* Who wanted to know of the end is told that it has come; a child's cell has nobody else now. */
static COLD void lost_order(struct worker *w, const struct msg *m, const char *reason)
{
	if (m->fn == FN_MONITOR)
		post_down(w, m->from, m->corr, order_text(m), reason);
	else if (m->fn == FN_LOOK)
		post_answer(w, m->from, m->corr, NULL, 0, ACTOR_ENOENT, reason);
	else if (m->fn == FN_LINK)
		post_order(w, m->from, &(struct order){ FN_EXIT, msg_slots(m)[0], 1, reason });
	else if (m->fn == FN_ENDED)
		cell_free(&w->cells, cell_at((uint32_t)m->corr));
}

COLD void post_dead(struct worker *w, const struct actor *a, struct msg *m, const char *reason)
{
	COUNT_UP(&w->dead, 1);
	if (m->fn == FN_TRACED)
		trace_lost(w, m);
	if (m->fn >= FN_ORDER) {
		lost_order(w, m, reason);
	} else if (m->fn == FN_REACH) {
		post_answer(w, m->from, m->corr, NULL, 0, 0, NULL);
	} else if (m->fn < FN_SPECIAL) {
		if (lease_is_on(m) && !post_under_lease(w, m))
			return;                 /* others may have it by now */
		letters_add(a, m, reason);
		if (m->corr && !(m->flags & MSG_ANSWER))
			post_answer(w, m->from, m->corr, NULL, 0, ACTOR_ENOENT, reason);
	}
}

void post_dead_chain(struct worker *w, const struct actor *a, uint32_t top, uint32_t last,
		     const char *reason)
{
	bool end;

	do {
		struct msg *m = msg_at(top);

		end = top == last;
		top = m->next;
		post_dead(w, a, m, reason);
		message_free(&w->pool, m);
	} while (!end);
}

COLD void post_box(struct worker *w)
{
	struct chain box = w->box;

	w->box.top = 0;
	switch (cell_push(w->box_to, box.top, msg_at(box.last), box.weight, ROOM_SEEN)) {
	case PUSH_READY:
		post_ready(w, w->box_to);
		break;
	case PUSH_DEAD:                 /* it was there when the messages were sent */
		post_dead_chain(w, w->box_to, box.top, box.last, "the actor has just ended");
		break;
	default:
		break;
	}
}

void core_gather(void)
{
	worker_acquire()->in_handler = IN_GATHERING;
}

void core_gathered(void)
{
	struct worker *w = worker_self;

	if (w->box.top)
		post_box(w);
	w->in_handler = 0;
	worker_release(w);
}

/* --- orders ------------------------------------------------------------------------------- */

static void lane_wake(struct worker *w, struct actor *a);

/* Is m for who is just being born in this cell? By a birth's number only one who was found by name
 * can be meant: so it bears that already (acquire: with the name comes its number). */
static bool awaits(const struct actor *a, uint32_t gen, const struct msg *m)
{
	struct name *name = LOAD(&a->name);

	if (m->gen)
		return m->gen == gen;
	return name && name_bearer(name) == ((uint64_t)gen << 32 | cell_index(a)) &&
	       msg_slots(m)[0] == LOAD(&a->born);
}

/* a was buried before it could see what was pushed. What a newborn there is to get stays, in its
 * order; it may have looked for it while it was here, and have gone idle, or even ended, without.
 */
static COLD void sweep(struct worker *w, struct actor *a)
{
	uint32_t gen = LOAD_ACQUIRE(&a->gen);
	uint32_t i = atomic_exchange(&a->control, 0), stays = 0, next;

	for (; i; i = next) {
		struct msg *m = msg_at(i);

		next = m->next;
		if (awaits(a, gen, m)) {
			m->next = stays;
			stays = i;
			continue;
		}
		post_dead(w, a, m, "it has ended");
		message_free(&w->pool, m);
	}
	if (!stays)
		return;
	for (; stays; stays = next) {
		next = msg_at(stays)->next;
		cell_overtake(a, msg_at(stays));
	}
	/* Partners: whoever publishes a newborn, buries it, or gives its birth up: life.c */
	if (HEAD_TOP(atomic_load(&a->head)) != TOP_DEAD || atomic_load(&a->gen) != gen)
		lane_wake(w, a);
}

/* Something hangs in the lane now. Partner: the owner steps to IDLE, or parks, or buries, then
 * looks at control; all sequentially consistent. */
static void lane_wake(struct worker *w, struct actor *a)
{
	uint64_t h = atomic_load(&a->head);
	uint8_t one = 1;

	while (HEAD_TOP(h) == TOP_IDLE)
		if (atomic_compare_exchange_weak(&a->head, &h, HEAD_WITH(h, TOP_BUSY))) {
			post_ready(w, a);
			return;
		}
	if (HEAD_TOP(h) == TOP_DEAD)
		sweep(w, a);
	else if (atomic_load(&a->parked) && atomic_compare_exchange_strong(&a->parked, &one, 0))
		post_ready(w, a);
	else if (unlikely(atomic_load(&a->held_on)))
		post_held(w, a);
}

static void leave_lane(struct worker *w, struct actor *self, struct draft_item *i);

static void lane(struct worker *w, struct actor *a, struct msg *m)
{
	if (unlikely(draft_is_open(w))) {
		draft_message(leave_lane, a, m);
		return;
	}
	cell_overtake(a, m);
	COUNT_UP(&w->sent, 1);
	lane_wake(w, a);
}

static void leave_lane(struct worker *w, struct actor *self, struct draft_item *i)
{
	(void)self;
	lane(w, i->to, i->m);
}

static struct msg *order_make(struct worker *w, uint64_t whom, const struct order *o)
{
	struct arg args[2] = {
		{.type = VALUE_INT, .bits = whom},
		{.type = VALUE_STR,
		 .p = o->text ? o->text : "",
		 .len = o->text ? (uint32_t)strlen(o->text) : 0},
	};
	struct msg *m = message_make(&w->pool, args, 2);

	m->fn = o->fn;
	m->sig = 0;
	m->gen = 0;
	m->from = o->from;
	m->corr = o->corr;
	return m;
}

bool post_order(struct worker *w, uint64_t id, const struct order *o)
{
	struct actor *a = cell_at((uint32_t)id);
	struct msg *m;

	if (!id || LOAD_ACQUIRE(&a->gen) != id >> 32)
		return false;
	m = order_make(w, id, o);
	m->gen = (uint32_t)(id >> 32);
	lane(w, a, m);
	return true;
}

void post_order_born(struct worker *w, uint32_t cell, uint64_t born, const struct order *o)
{
	lane(w, cell_at(cell), order_make(w, born, o));
}

/* As post_order(), quick about it: with every child that ends. */
bool post_ended(struct worker *w, uint64_t parent, uint32_t cell)
{
	struct actor *a = cell_at((uint32_t)parent);
	struct msg *m;

	if (LOAD_ACQUIRE(&a->gen) != parent >> 32)
		return false;
	m = message_make(&w->pool, NULL, 0);
	m->gen = (uint32_t)(parent >> 32);
	m->from = 0;
	m->fn = FN_ENDED;
	m->sig = 0;
	m->corr = cell;
	lane(w, a, m);
	return true;
}

const char *order_text(const struct msg *m)
{
	struct arg text;

	arg_of_message(&text, m, 1);
	return text.p;
}

void post_down(struct worker *w, uint64_t to, uint64_t number, const char *name, const char *reason)
{
	struct actor *a = cell_at((uint32_t)to);
	struct arg args[3] = {
		{ .type = VALUE_INT, .bits = number },
		{ .type = VALUE_STR, .p = name, .len = (uint32_t)strlen(name) },
		{ .type = VALUE_STR, .p = reason, .len = (uint32_t)strlen(reason) },
	};
	struct msg *m;

	if (LOAD_ACQUIRE(&a->gen) != to >> 32)
		return;
	m = message_make(&w->pool, args, 3);
	m->fn = FN_DOWN;
	m->sig = 0;
	m->gen = (uint32_t)(to >> 32);
	m->from = m->corr = 0;
	post_beyond(w, a, m);
}
