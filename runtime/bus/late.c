/* SPDX-License-Identifier: MIT
 * late.c - see late.h. A queue an actor, tried again every RETRY_MS from its front. An actor whose
 * mailbox is full is busy, so a look now and then costs little beside it. What nobody waits for any
 * more leaves from wherever it stands. Who sends to one whose queue is long is told, and told again
 * as long as it is: who hears no more of it may have missed that there is room. */
#include "late.h"

#include "frame.h"
#include "ports.h"

enum {
	RETRY_MS = 2, SWEEP_MS = 50,
	/* A queue is long when it has more; no longer, when it has half. */
	BYTES_MOST = 8 << 20, OWNERS_MOST = 1024,
	TELL_EVERY = 1024,              /* messages of one that was told: it may have died */
};

struct told { void *peer; unsigned since; };

struct queue {
	struct queue *next;
	actor_ref to;
	struct late_message *first, **last;
	size_t bytes;
	unsigned owners;                /* of messages in a row; of the last of them: */
	const void *newest;
	bool is_long;
	struct told *told;
	unsigned n_told;
};

struct late {
	struct late_config c;
	struct queue *first;
	struct loop_timer *timer;
	int64_t swept_ms, told_ms;
	size_t bytes;
	unsigned count;
};

static void drop(struct late *l, struct queue *q, struct late_message **at)
{
	struct late_message *m = *at;

	*at = m->next;
	if (!*at)
		q->last = at;
	if (m->leads && m->next && m->next->owner == m->owner)
		m->next->leads = true;
	else
		q->owners -= m->leads;
	q->bytes -= m->size;
	l->bytes -= m->size;
	l->count--;
	mem_free(m);
}

static void tell_long(struct late *l, struct queue *q, void *peer)
{
	unsigned i = 0;

	while (i < q->n_told && q->told[i].peer != peer)
		i++;
	if (i < q->n_told && ++q->told[i].since < TELL_EVERY)
		return;
	if (i == q->n_told)
		q->told = mem_resize(q->told, ++q->n_told * sizeof *q->told);
	q->told[i] = (struct told){ peer, 0 };
	l->c.room(l->c.arg, q->to, peer, false);
}

/* It may be shorter now. */
static void look_at_length(struct late *l, struct queue *q)
{
	if (!q->is_long || q->bytes > BYTES_MOST / 2 || q->owners > OWNERS_MOST / 2)
		return;
	for (unsigned i = 0; i < q->n_told; i++)
		l->c.room(l->c.arg, q->to, q->told[i].peer, true);
	q->n_told = 0;
	q->is_long = false;
}

static void tell_again(struct late *l, const struct queue *q)
{
	for (unsigned i = 0; i < q->n_told; i++)
		l->c.room(l->c.arg, q->to, q->told[i].peer, false);
}

static void queue_free(struct queue *q)
{
	mem_free(q->told);
	mem_free(q);
}

static void sweep(struct late *l, struct queue *q, int64_t now)
{
	struct late_message **at = &q->first, *m;

	while ((m = *at)) {
		if (!m->what || !m->until_ms || m->until_ms > now) {
			at = &m->next;
			continue;
		}
		l->c.give_up(l->c.arg, m);
		drop(l, q, at);
	}
}

static void on_timer(void *arg)
{
	struct late *l = arg;
	struct queue **at = &l->first, *q;
	int64_t now = now_ms();
	bool due = now - l->swept_ms >= SWEEP_MS, say = now - l->told_ms >= ROOM_TELL_MS;

	if (due)
		l->swept_ms = now;
	if (say)
		l->told_ms = now;
	while ((q = *at)) {
		if (due)
			sweep(l, q, now);
		while (q->first && l->c.hand_on(l->c.arg, q->to, q->first))
			drop(l, q, &q->first);
		look_at_length(l, q);
		if (say)
			tell_again(l, q);
		if (q->first) {
			at = &q->next;
		} else {
			*at = q->next;
			queue_free(q);
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
	own->leads = !q->first || q->newest != own->owner;
	q->newest = own->owner;
	q->owners += own->leads;
	*q->last = own;
	q->last = &own->next;
	q->bytes += own->size;
	l->bytes += own->size;
	l->count++;
	q->is_long = q->is_long || q->bytes > BYTES_MOST || q->owners > OWNERS_MOST;
	if (q->is_long && m->peer)
		tell_long(l, q, m->peer);
}

size_t late_bytes(const struct late *l)
{
	return l->bytes;
}

unsigned late_count(const struct late *l)
{
	return l->count;
}

struct late *late_new(const struct late_config *c)
{
	struct late *l = mem_alloc(sizeof *l);

	l->c = *c;
	l->timer = loop_timer_new(c->loop, on_timer, l);
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
		queue_free(q);
	}
	mem_free(l);
}
