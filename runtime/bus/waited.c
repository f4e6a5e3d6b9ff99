/* SPDX-License-Identifier: MIT
 * waited.c - see waited.h.
 *
 * The idea: what a pop costs Redis, and everybody who waits for it, grows with the keys that it
 * names: with 50,000 a caller had 50 answers a second. So beyond FRONT_MOST topics a pop names
 * those that brought something lately, the front, and one part of the others: the last in which
 * something lay. The others are looked at a part at a time, by an EXISTS that takes nothing; what
 * it finds becomes the part that is waited on. So a topic that was quiet is found within TICK_MS
 * for each PART topics (TICK_MOST_MS where all were quiet), and all stay with one pop at a time.
 *
 * Pops begin with the front and with the part in turns, each time a topic further on, as Redis
 * takes the first key that has something.
 *
 * Where EXISTS may not be used, and in a Cluster, where it takes the keys of one slot only, all are
 * waited on. The loop's thread. */
#include "waited.h"

#include "log.h"

enum { FRONT_MOST = 1024, PART = 1024, TICK_MS = 8, TICK_MOST_MS = 32 };

struct waited {
	struct waited_config c;
	bool whole;
	struct topic *front[FRONT_MOST];
	unsigned fronts;
	unsigned part, asked;           /* where they begin: waited on; asked for */
	unsigned turn;                  /* pops so far */
	bool asking, armed;
	int tick_ms;
	unsigned quiet;                 /* parts in a row in which nothing was found */
	struct loop_timer *tick;
	const char *argv[PART + 1];
	size_t len[PART + 1];
};

static bool few(const struct waited *w)
{
	return w->whole || topics_count(w->c.topics) <= FRONT_MOST;
}

/* --- looking for what is not waited on ---------------------------------------------------- */

static void arm(struct waited *w)
{
	if (!w->armed && !w->asking && !few(w)) {
		w->armed = true;
		loop_timer_set(w->tick, w->tick_ms);
	}
}

/* After a round of nothing the next takes twice as long. */
static void adapt(struct waited *w, bool found)
{
	unsigned parts = topics_count(w->c.topics) / PART + 1;

	w->quiet = found ? 0 : w->quiet + 1;
	if (found)
		w->tick_ms = TICK_MS;
	else if (w->quiet % parts == 0 && w->tick_ms < TICK_MOST_MS)
		w->tick_ms *= 2;
}

/* An error that is over soon. */
static bool passes(const char *error)
{
	return !strncmp(error, "BUSY", 4) || !strncmp(error, "LOADING", 7) ||
	       !strncmp(error, "MASTERDOWN", 10);
}

static void on_exist(void *arg, const struct redis_reply *r)
{
	struct waited *w = arg;

	w->asking = false;
	if (r->type == REDIS_GONE)
		return;
	if (r->type == REDIS_ERROR && !passes(r->str)) {
		log_line(LOG_WARN, "bus", "many topics cost Redis much, as it refuses EXISTS: %s",
		         r->str);
		w->whole = true;
		w->c.found(w->c.arg);
		return;
	}
	adapt(w, r->type == REDIS_INT && r->integer);
	if (r->type == REDIS_INT && r->integer) {
		w->part = w->asked;
		w->c.found(w->c.arg);
	}
	arm(w);
}

/* The words of an EXISTS for the next part; 1: none of it needs to be asked for. */
static int compose(struct waited *w)
{
	unsigned all = topics_count(w->c.topics), n = 1;

	w->asked = w->asked + PART < all ? w->asked + PART : 0;
	w->argv[0] = "EXISTS";
	w->len[0] = 6;
	for (unsigned i = w->asked; i < all && i < w->asked + PART; i++) {
		struct topic *t = topics_get(w->c.topics, i);

		if (t->front || !w->c.open(w->c.arg, t))
			continue;
		w->argv[n] = t->name;
		w->len[n++] = t->len;
	}
	return (int)n;
}

static void on_tick(void *arg)
{
	struct waited *w = arg;
	int n;

	w->armed = false;
	if (few(w))
		return;
	n = compose(w);
	if (n == 1)
		arm(w);
	else    /* where it cannot be asked, the next pop will arm */
		w->asking = !w->c.port->command(w->c.port->link, on_exist, w, n, w->argv, w->len);
}

/* --- what is waited on -------------------------------------------------------------------- */

static void leave(struct waited *w, unsigned i)
{
	w->front[i]->front = 0;
	w->front[i] = w->front[--w->fronts];
}

static void forget_gone(struct waited *w)
{
	for (unsigned i = w->fronts; i--;)
		if (!w->front[i]->hosted)
			leave(w, i);
}

static void each_of_part(struct waited *w, unsigned from, void (*fn)(void *, struct topic *),
                         void *arg)
{
	unsigned all = topics_count(w->c.topics);
	unsigned n = w->part >= all ? 0 : all - w->part < PART ? all - w->part : PART;

	for (unsigned i = 0; i < n; i++) {
		struct topic *t = topics_get(w->c.topics, w->part + (from + i) % n);

		if (!t->front)
			fn(arg, t);
	}
}

static void each_of_front(struct waited *w, unsigned from, void (*fn)(void *, struct topic *),
                          void *arg)
{
	for (unsigned i = 0; i < w->fronts; i++)
		fn(arg, w->front[(from + i) % w->fronts]);
}

void waited_each(struct waited *w, void (*fn)(void *arg, struct topic *t), void *arg)
{
	unsigned all = topics_count(w->c.topics), turn = w->turn++;

	forget_gone(w);
	if (few(w)) {
		for (unsigned i = 0; i < all; i++)
			fn(arg, topics_get(w->c.topics, (turn + i) % all));
		return;
	}
	if (turn % 2)
		each_of_front(w, turn / 2, fn, arg);
	each_of_part(w, turn / 2, fn, arg);
	if (turn % 2 == 0)
		each_of_front(w, turn / 2, fn, arg);
	arm(w);
}

void waited_brought(struct waited *w, struct topic *t)
{
	unsigned oldest = 0;

	if (few(w) || !t->hosted)
		return;
	if (!t->front) {
		for (unsigned i = 1; i < w->fronts && w->fronts == FRONT_MOST; i++)
			if (w->front[i]->front < w->front[oldest]->front)
				oldest = i;
		if (w->fronts == FRONT_MOST)
			leave(w, oldest);
		w->front[w->fronts++] = t;
	}
	t->front = w->turn | 1;
}

/* --- the face ----------------------------------------------------------------------------- */

struct waited *waited_new(const struct waited_config *c)
{
	struct waited *w = mem_alloc(sizeof *w);

	w->c = *c;
	w->whole = c->whole;
	w->tick_ms = TICK_MS;
	w->tick = loop_timer_new(c->loop, on_tick, w);
	return w;
}

void waited_free(struct waited *w)
{
	loop_timer_free(w->tick);
	mem_free(w);
}

void waited_down(struct waited *w)
{
	w->whole = w->c.whole;
}
