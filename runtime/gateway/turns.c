/* SPDX-License-Identifier: MIT
 * turns.c - see turns.h. The only file that knows libev.
 *
 * (Not to sleep for 25 us where workers have just been asked, as the I/O thread does by bell.h,
 * gained nothing here: a message's answer comes later than that where a processor slept.) */
#include "turns.h"

#include <ev.h>

#include "base.h"

struct turns {
	struct turns_config c;
	struct ev_loop *loop;
	ev_async woken;
	ev_prepare waits;
};

static void on_woken(struct ev_loop *loop, ev_async *woken, int events)
{
	struct turns *t = woken->data;

	(void)loop, (void)events;
	t->c.turn(t->c.arg);
}

static void on_waits(struct ev_loop *loop, ev_prepare *waits, int events)
{
	struct turns *t = waits->data;

	(void)loop, (void)events;
	t->c.waits(t->c.arg);
}

struct turns *turns_new(const struct turns_config *c)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct turns *t;

	if (!loop)
		return NULL;
	t = mem_alloc(sizeof *t);
	t->c = *c;
	t->loop = loop;
	ev_async_init(&t->woken, on_woken);
	ev_prepare_init(&t->waits, on_waits);
	t->woken.data = t->waits.data = t;
	ev_async_start(loop, &t->woken);
	ev_prepare_start(loop, &t->waits);
	return t;
}

void *turns_loop(struct turns *t)
{
	return t->loop;
}

void turns_wake(struct turns *t)
{
	ev_async_send(t->loop, &t->woken);
}

void turns_leave(struct turns *t)
{
	ev_break(t->loop, EVBREAK_ALL);
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	ev_loop_destroy(t->loop);
	mem_free(t);
}
