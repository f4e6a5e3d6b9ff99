/* SPDX-License-Identifier: MIT
 * late.c - see late.h. A queue an actor, tried again every RETRY_MS from its front. An actor whose
 * mailbox is full is busy, so a look now and then costs little beside it. What nobody waits for any
 * more leaves from wherever it stands. */
#include "late.h"

#include "ports.h"

enum { RETRY_MS = 2, SWEEP_MS = 50 };

struct queue {
	struct queue *next;
	actor_ref to;
	struct late_message *first, **last;
};

struct late {
	struct queue *first;
	bool (*hand_on)(void *arg, actor_ref to, struct late_message *m);
	void (*give_up)(void *arg, struct late_message *m);
	void *arg;
	struct loop_timer *timer;
	int64_t swept_ms;
	size_t bytes;
	unsigned count;
};

static void drop(struct late *l, struct queue *q, struct late_message **at)
{
	struct late_message *m = *at;

	*at = m->next;
	if (!*at)
		q->last = at;
	l->bytes -= m->size;
	l->count--;
	mem_free(m);
}

static void sweep(struct late *l, struct queue *q, int64_t now)
{
	struct late_message **at = &q->first, *m;

	while ((m = *at)) {
		if (!m->what || !m->until_ms || m->until_ms > now) {
			at = &m->next;
			continue;
		}
		l->give_up(l->arg, m);
		drop(l, q, at);
	}
}

static void on_timer(void *arg)
{
	struct late *l = arg;
	struct queue **at = &l->first, *q;
	int64_t now = now_ms();
	bool due = now - l->swept_ms >= SWEEP_MS;

	if (due)
		l->swept_ms = now;
	while ((q = *at)) {
		if (due)
			sweep(l, q, now);
		while (q->first && l->hand_on(l->arg, q->to, q->first))
			drop(l, q, &q->first);
		if (q->first) {
			at = &q->next;
		} else {
			*at = q->next;
			mem_free(q);
		}
	}
	if (l->first)
		loop_timer_set(l->timer, RETRY_MS);
}

static struct queue *find(const struct late *l, actor_ref to)
{
	struct queue *q = l->first;

	while (q && q->to != to)
		q = q->next;
	return q;
}

bool late_waits(const struct late *l, actor_ref to)
{
	return l->first && find(l, to);
}

void late_keep(struct late *l, actor_ref to, const struct late_message *m)
{
	size_t what = m->what ? strlen(m->what) + 1 : 0, args = (size_t)(m->args.end - m->args.at);
	struct late_message *own = mem_alloc(sizeof *own + what + args);
	struct queue *q = find(l, to);
	char *p = (char *)(own + 1);

	*own = *m;
	own->next = NULL;
	own->size = sizeof *own + what + args;
	own->what = m->what ? memcpy(p, m->what, what) : NULL;
	if (args)
		memcpy(p + what, m->args.at, args);
	own->args = (struct packed){ (uint8_t *)p + what, (uint8_t *)p + what + args };
	if (!q) {
		q = mem_alloc(sizeof *q);
		q->to = to;
		q->last = &q->first;
		q->next = l->first;
		if (!l->first)
			loop_timer_set(l->timer, RETRY_MS);
		l->first = q;
	}
	*q->last = own;
	q->last = &own->next;
	l->bytes += own->size;
	l->count++;
}

size_t late_bytes(const struct late *l)
{
	return l->bytes;
}

unsigned late_count(const struct late *l)
{
	return l->count;
}

struct late *late_new(struct loop *loop, bool (*hand_on)(void *arg, actor_ref to,
                                                         struct late_message *m),
                      void (*give_up)(void *arg, struct late_message *m), void *arg)
{
	struct late *l = mem_alloc(sizeof *l);

	l->hand_on = hand_on;
	l->give_up = give_up;
	l->arg = arg;
	l->timer = loop_timer_new(loop, on_timer, l);
	return l;
}

void late_free(struct late *l)
{
	struct queue *q;

	if (!l)
		return;
	loop_timer_free(l->timer);
	while ((q = l->first)) {
		while (q->first)
			drop(l, q, &q->first);
		l->first = q->next;
		mem_free(q);
	}
	mem_free(l);
}
