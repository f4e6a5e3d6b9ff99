/* SPDX-License-Identifier: MIT
 * moments.c - see moments.h.
 *
 * The idea: a timerfd is set only when what is set now comes before all that it was set for, and
 * is left alone when what it was set for is called off; it then fires in vain, once. (libevent's
 * own precise timers set one in every turn of the loop: a thirtieth of a node's time when frames
 * come and go; actor-bench redis-call.)
 *
 * Whoever watches the descriptor does so by edges (EPOLLET): that it fires is told once, so nobody
 * has to read it.
 *
 * The wheel is core's, of ticks of 0.1 ms. Its owner's thread only. */
#include "moments.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "../actor.h"
#include "ports.h"

enum { TICK_NS = 100000, SECOND_NS = 1000000000 };

int moments_init(struct moments *s)
{
	s->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->fd < 0)
		return ACTOR_EFAIL;
	timers_init(&s->wheel, now_ns() / TICK_NS);
	s->armed = INT64_MAX;
	return 0;
}

void moments_fini(struct moments *s)
{
	close(s->fd);
}

static void arm(struct moments *s, int64_t tick)
{
	struct itimerspec at = { .it_value = {
		tick / (SECOND_NS / TICK_NS), tick % (SECOND_NS / TICK_NS) * TICK_NS } };

	if (tick >= s->armed)
		return;
	s->armed = tick;
	timerfd_settime(s->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void moments_set(struct moments *s, struct timer *x, int64_t us)
{
	timer_set(&s->wheel, x, (now_ns() + us * 1000 + TICK_NS - 1) / TICK_NS);
	arm(s, x->due_ms);
}

void moments_clear(struct moments *s, struct timer *x)
{
	timer_clear(&s->wheel, x);
}

struct timer *moments_take(struct moments *s)
{
	struct timer *x = timers_take(&s->wheel, now_ns() / TICK_NS);

	if (x)
		return x;
	s->armed = INT64_MAX;
	arm(s, timers_next(&s->wheel));
	return NULL;
}
