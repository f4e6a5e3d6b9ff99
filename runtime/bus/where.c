/* SPDX-License-Identifier: MIT
 * where.c - see where.h.
 *
 * The idea: whoever connects asks before each attempt, and hears of a move meanwhile; what kind of
 * URL it is nobody else needs to know. The loop's thread. */
#include "where.h"

#include <stdio.h>

#include "sentinel.h"

enum { SENTINEL_MS = 2000 };    /* so long a master may be unknown before that is an error */

struct where {
	struct loop *loop;
	const struct url *url;
	struct where_events events;
	void *arg;
	struct resolve *resolve;
	struct sentinel *sentinel;
	struct master master;           /* that was found last; port 0: none, or it has moved */
	bool asked;
	struct loop_timer *late;
};

const char *where_host(const struct where *w)
{
	return w->sentinel ? w->master.host : w->url->host;
}

static void answer(struct where *w, const struct addresses *a, const char *error)
{
	w->asked = false;
	loop_timer_set(w->late, -1);
	w->events.found(w->arg, a, w->sentinel ? w->master.port : w->url->port, error);
}

static void on_resolved(void *arg, const struct addresses *a, const char *error)
{
	struct where *w = arg;
	char text[512];

	w->resolve = NULL;
	if (error)
		snprintf(text, sizeof text, "%s: %s", where_host(w), error);
	answer(w, a, error ? text : NULL);
}

static void look_up(struct where *w, const char *host)
{
	w->resolve = resolve_start(w->loop, host, on_resolved, w);
}

static void on_news(void *arg)
{
	struct where *w = arg;
	const struct master *m = sentinel_master(w->sentinel);
	bool same = m->port == w->master.port && !strcmp(m->host, w->master.host);
	char text[512];

	if (w->asked && m->port && !w->resolve) {
		w->master = *m;
		look_up(w, m->host);
	} else if (!w->asked && m->port && w->master.port && !same) {
		snprintf(text, sizeof text, "Sentinel says that the master is %s:%d now", m->host,
		         m->port);
		w->master.port = 0;
		w->events.moved(w->arg, text);
	}
}

static void on_late(void *arg)
{
	struct where *w = arg;
	const char *reason = sentinel_reason(w->sentinel);

	if (w->asked && !w->resolve)
		answer(w, NULL, *reason ? reason : "no Sentinel has said which is the master");
}

struct where *where_new(struct loop *l, const struct url *u, const struct where_events *e,
                        void *arg)
{
	struct where *w = mem_alloc(sizeof *w);

	w->loop = l;
	w->url = u;
	w->events = *e;
	w->arg = arg;
	w->late = loop_timer_new(l, on_late, w);
	return w;
}

void where_free(struct where *w)
{
	if (!w)
		return;
	resolve_cancel(w->resolve);
	sentinel_free(w->sentinel);
	loop_timer_free(w->late);
	mem_free(w);
}

void where_ask(struct where *w)
{
	struct why why;

	w->asked = true;
	if (!w->url->master[0]) {
		look_up(w, w->url->host);
		return;
	}
	if (!w->sentinel)
		w->sentinel = sentinel_new(w->loop, w->url, on_news, w, &why);
	if (!w->sentinel) {
		answer(w, NULL, why.text);
		return;
	}
	loop_timer_set(w->late, SENTINEL_MS);
	on_news(w);
}
