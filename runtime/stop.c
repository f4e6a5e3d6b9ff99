/* SPDX-License-Identifier: MIT
 * stop.c - how a node ends, as long as its loop turns.
 *
 *   draining --all is done, or given up--> parting --all have gone, and it is said--> leaving
 *
 * The idea: first what is under way is finished, for DRAIN_MS at most; who asked by Redis and is
 * not answered by then is told so. Then clients go (1001), as their going is news: handlers of
 * beforeQuit tell rooms, users and actors, here and on other nodes. So all turn on until nothing
 * moves any more and Redis has all that was said; who does not go by himself is cut off CUT_MS
 * later. Last of all this node leaves the other nodes' table.
 *
 * A signal more ends a wait, but not within AGAIN_MS of the first: timeout(1) tells the process and
 * its group, so that is the same one. What hangs in all that is cut off by node.c's alarm. The
 * loop's thread. */
#include "stop.h"

#include "core.h"
#include "log.h"
#include "ports.h"

enum {
	DRAIN_MS = 4000, AGAIN_MS = 1000, LOOK_MS = 5,
	CUT_MS = 700,
	PARTING_MS = 1000,      /* it has so long; and what draining has left over, too */
	LEAVING_MS = 300,
};

struct stop {
	enum { RUNNING, DRAINING, PARTING, CUTTING, LEAVING } phase;
	struct loop *loop;
	struct gateway *gateway;
	struct bus *bus;
	struct loop_timer *look;
	int64_t began_ms, cut_ms, until_ms;
};

static bool is_drained(const struct stop *s)
{
	return core_drain(0) && (!s->gateway || gateway_idle(s->gateway)) &&
	       (!s->bus || bus_idle(s->bus));
}

static bool is_parted(const struct stop *s)
{
	return (!s->gateway || gateway_left(s->gateway)) && core_still() &&
	       (!s->bus || bus_idle(s->bus));
}

static void part(struct stop *s)
{
	s->phase = PARTING;
	s->cut_ms = now_ms() + CUT_MS;
	if (s->gateway)
		gateway_leave(s->gateway, false);
}

static void cut(struct stop *s)
{
	s->phase = CUTTING;
	if (s->gateway)
		gateway_leave(s->gateway, true);
}

static void give_up(struct stop *s)
{
	log_line(LOG_WARN, "node", "stopping before all is done");
	if (s->bus)
		bus_give_up(s->bus);
	s->until_ms = now_ms() + PARTING_MS;
	part(s);
}

static void look(void *arg)
{
	struct stop *s = arg;
	int64_t now = now_ms();

	if (s->phase == DRAINING && is_drained(s)) {
		s->until_ms = s->began_ms + DRAIN_MS + PARTING_MS;
		part(s);
	} else if (s->phase == DRAINING && now >= s->until_ms) {
		give_up(s);
	} else if (s->phase == LEAVING && now >= s->until_ms) {
		loop_stop(s->loop);
		return;
	} else if (s->phase > DRAINING && now >= s->until_ms) {
		s->phase = LEAVING;     /* what moves still, moves for ever */
		s->until_ms = now + LEAVING_MS;
	}
	if (s->phase == PARTING && now >= s->cut_ms)
		cut(s);
	if ((s->phase == PARTING || s->phase == CUTTING) && is_parted(s))
		s->phase = LEAVING;
	if (s->phase == LEAVING && (!s->bus || bus_leave(s->bus)))
		loop_stop(s->loop);
	else
		loop_timer_set(s->look, LOOK_MS);
}

struct stop *stop_new(struct loop *l)
{
	struct stop *s = mem_alloc(sizeof *s);

	s->loop = l;
	s->look = loop_timer_new(l, look, s);
	return s;
}

void stop_begin(struct stop *s, struct gateway *g, struct bus *b)
{
	s->gateway = g;
	s->bus = b;
	s->phase = DRAINING;
	s->began_ms = now_ms();
	s->until_ms = s->began_ms + DRAIN_MS;
	if (g)
		gateway_quiet(g);
	if (b)
		bus_quiet(b);
	loop_timer_set(s->look, 0);
}

void stop_hurry(struct stop *s)
{
	if (now_ms() >= s->began_ms + AGAIN_MS)
		s->until_ms = 0;
}

void stop_free(struct stop *s)
{
	if (!s)
		return;
	loop_timer_free(s->look);
	mem_free(s);
}
