/* SPDX-License-Identifier: MIT
 * post.c - pushing what the limits do not hold back. */
#include "post.h"

void (*post_ready)(struct worker *w, struct actor *a);

int post_beyond(struct worker *w, struct actor *a, struct msg *m)
{
	enum push said;

	if (unlikely(w->box.top))               /* what was sent before goes before */
		post_box(w);
	said = cell_push(a, msg_index(m), m, HEAD_WEIGHT(msg_units(m)), true);
	if (unlikely(said == PUSH_DEAD)) {
		message_free(&w->pool, m);
		return ACTOR_ENOENT;
	}
	if (said == PUSH_READY)
		post_ready(w, a);
	COUNT_UP(&w->sent, 1);
	return 0;
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
	post_beyond(w, a, m);
}

void post_answer(struct worker *w, uint64_t to, uint64_t corr, const struct arg *args, unsigned n, int code,
                 const char *text)
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
	if (post_beyond(w, a, m) < 0)
		COUNT_UP(&w->late, 1);
}

void post_dead(struct worker *w, struct msg *m, const char *reason)
{
	COUNT_UP(&w->dead, 1);
	if (m->corr && !(m->flags & MSG_ANSWER) && m->fn < FN_SPECIAL)
		post_answer(w, m->from, m->corr, NULL, 0, ACTOR_ENOENT, reason);
}

void post_dead_chain(struct worker *w, uint32_t top, uint32_t last, const char *reason)
{
	bool end;

	do {
		struct msg *m = msg_at(top);

		end = top == last;
		top = m->next;
		post_dead(w, m, reason);
		message_free(&w->pool, m);
	} while (!end);
}

COLD void post_box(struct worker *w)
{
	struct chain box = w->box;

	w->box.top = 0;
	switch (cell_push(w->box_to, box.top, msg_at(box.last), box.weight, true)) {
	case PUSH_READY:
		post_ready(w, w->box_to);
		break;
	case PUSH_DEAD:                 /* it was there when the messages were sent */
		post_dead_chain(w, box.top, box.last, "the actor has just ended");
		break;
	default:
		break;
	}
}

void post_control(struct worker *w, uint64_t id, uint16_t fn)
{
	struct actor *a = cell_at((uint32_t)id);
	struct msg *m;
	uint32_t top;
	uint64_t h;

	if (LOAD_ACQUIRE(&a->gen) != id >> 32)
		return;
	m = message_make(&w->pool, NULL, 0);
	m->gen = (uint32_t)(id >> 32);
	m->from = m->corr = 0;
	m->fn = fn;
	top = LOAD(&a->control);
	do
		m->next = top;
	while (!atomic_compare_exchange_weak(&a->control, &top, msg_index(m)));
	COUNT_UP(&w->sent, 1);
	/* Partner: the owner steps to IDLE, then looks at control; both sequentially consistent. */
	h = atomic_load(&a->head);
	while (HEAD_TOP(h) == TOP_IDLE)
		if (atomic_compare_exchange_weak(&a->head, &h, HEAD_WITH(h, TOP_BUSY))) {
			post_ready(w, a);
			break;
		}
}
