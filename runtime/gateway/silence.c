/* SPDX-License-Identifier: MIT
 * silence.c - what passes with time: a login that does not come, a client that says nothing, one
 * that is gone without a word.
 *
 * There is no timer a connection, but a clock that ticks twice a second, and stamps messages.
 * Looked at is, at each tick, for whom it may be time (sweep.h). That goes a few hundred at a time:
 * to look at 10,000 takes 3 ms, for which a message would wait.
 * Invariant: who is due to be looked at at some tick has nothing that passes before: what is heard
 * of it only makes that later. */
#include "silence.h"

#include "conn.h"
#include "crowd.h"
#include "session.h"
#include "sync.h"

enum { TICK_MS = 1000 / CONN_TICKS, SLICE = 256, PAUSE_MS = 5 };

static void late(struct conn *c, const char *words)
{
	COUNT_UP(&c->in->late, 1);
	conn_frames.close(c, CLOSE_POLICY, words);
}

/* A ping is out, and nothing was heard since. */
static bool was_asked(const struct conn *c)
{
	return c->asked && (int32_t)(c->heard - c->asked) < 0;
}

static void look_at(struct conn *c)
{
	const struct gateway_limits *l = &c->in->limits;

	if (c->code || c->deaf)
		return;
	if (!session_in(c->session) && conns_over(c->in, c->born, l->login_s)) {
		late(c, "no login in time");
	} else if (conns_over(c->in, c->said, l->idle_s)) {
		late(c, "no message for too long");
	} else if (conns_over(c->in, c->heard, 2 * l->ping_s)) {
		COUNT_UP(&c->in->lost, 1);
		conn_cut(c);
	} else if (conns_over(c->in, c->heard, l->ping_s) && !was_asked(c)) {
		conn_ping(c);
	}
}

/* How many ticks there are until conns_over() of that, where that is sooner. */
static void until(int64_t *ticks, const struct conn *c, uint32_t since, int seconds)
{
	int64_t left = (int64_t)seconds * CONN_TICKS + 1 - (c->in->tick - since);

	if (seconds && left < *ticks)
		*ticks = left;
}

/* In how many ticks look_at() may find something. */
static uint32_t patience(const struct conn *c)
{
	const struct gateway_limits *l = &c->in->limits;
	int64_t ticks = SWEEP_TICKS;

	if (!c->code && !c->deaf) {
		until(&ticks, c, c->born, session_in(c->session) ? 0 : l->login_s);
		until(&ticks, c, c->said, l->idle_s);
		until(&ticks, c, c->heard, was_asked(c) ? 2 * l->ping_s : l->ping_s);
	}
	return ticks > 1 ? (uint32_t)ticks : 1;
}

int silence_sweep(struct conns *all)
{
	uint32_t tick = (uint32_t)((now_ms() - all->began_ms) / TICK_MS);
	struct link *l;
	int n = 0;

	if (tick != all->tick)
		addresses_sweep(all->crowd->addresses, now_ns());
	all->tick = tick;
	for (; n < SLICE && (l = sweep_next(&all->sweep, tick)); n++) {
		struct conn *c = LINKED(l, struct conn, all);

		look_at(c);
		sweep_put(&all->sweep, l, patience(c));
	}
	return n < SLICE ? TICK_MS : PAUSE_MS;
}
