/* SPDX-License-Identifier: MIT
 * traces.c - see traces.h. The core notes what happens, this says what is asked about, and hands it
 * on. A trace ends by itself: after its time, and when it is not read for LEASE_MS, so that nothing
 * stays behind of a tool that was killed. */
#include "traces.h"

#include <stdio.h>
#include <stdlib.h>

#include "ports.h"
#include "rows.h"
#include "signature.h"

enum {
	LEASE_MS = 5000, MOST = 1000000, MOST_MS = 3600000,
	EVENTS_MOST = 20000,            /* of an answer */
};

struct under_way { int64_t number, until_ms, lease_ms; int trace; };

struct traces {
	struct under_way one[TRACES_MAX];
	int64_t number;
};

struct traces *traces_new(void)
{
	return mem_alloc(sizeof(struct traces));
}

static void end(struct under_way *u)
{
	core_trace_end(u->trace);
	*u = (struct under_way){ .number = 0 };
}

void traces_free(struct traces *t)
{
	mem_free(t);
}

static struct under_way *find(struct traces *t, int64_t number)
{
	for (int i = 0; i < TRACES_MAX; i++)
		if (t->one[i].number == number)
			return &t->one[i];
	return NULL;
}

static struct under_way *find_asked(struct traces *t, int64_t number, struct why *why)
{
	struct under_way *u = number > 0 ? find(t, number) : NULL;

	if (!u)
		why_set(why, ACTOR_ENOENT, "there is no trace %lld (any more): they end after "
			"their time, and when nobody reads them for %d s", (long long)number,
			LEASE_MS / 1000);
	return u;
}

/* --- what is asked about ------------------------------------------------------------ */

/* An actor of that name, else a type. */
static int find_name(const char *name, struct trace_query *q, struct why *why)
{
	struct actor_info a;

	if (strcmp(name, "*") == 0)
		return 0;
	if (core_inspect(actor_find(name), &a) == 0) {
		q->type = a.of;
		q->actor = a.name;
		return 0;
	}
	q->type = core_type(name);
	return q->type ? 0 : why_set(why, ACTOR_ENOENT, "no actor or type named `%s` here; "
	                             "`actorctl ps` lists those that are", name);
}

struct looking { const char *handler; struct handler_info found; };

static void look(void *arg, const struct handler_info *h)
{
	struct looking *l = arg;

	if (strcmp(h->name, l->handler) == 0)
		l->found = *h;
}

static int find_handler(const char *name, struct trace_query *q, const char **args,
                        struct why *why)
{
	struct looking l = { .handler = name };

	*args = "";
	if (!*name)
		return 0;
	q->handler = name;
	if (!q->type)
		return 0;
	core_handlers(q->type, look, &l);
	*args = l.found.name ? l.found.args : "";
	return l.found.name ? 0 : why_set(why, ACTOR_ENOENT, "%s has no handler `%s`; `actorctl "
	                                  "inspect` shows those it has", type_name(q->type), name);
}

/* "by=5": the value of that name, or number (from 1). */
static int find_arg(const char *word, const char *args, struct trace_query *q, struct why *why)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : 0;
	char name[64], *rest;
	long n = strtol(word, &rest, 10);

	q->arg = -1;
	q->value = "";
	if (!*word)
		return 0;
	if (!len)
		return why_set(why, ACTOR_EARGS, "a value is asked for as NAME=VALUE or "
			"NUMBER=VALUE, not `%.64s`", word);
	q->value = eq + 1;
	if (rest == eq && n >= 1 && n <= 255)
		return q->arg = (int)n - 1, 0;
	for (int i = 0; *args && i < 32; i++) {
		signature_param(args, i, name, sizeof name);
		if (strlen(name) == len && memcmp(name, word, len) == 0)
			return q->arg = i, 0;
	}
	return why_set(why, ACTOR_EARGS, "no parameter `%.*s` (name the handler, too, or the "
		"parameter's number): it takes (%s)", (int)len, word, args);
}

static int check(const struct traces_query *q, struct why *why)
{
	if (q->every < 1 || q->every > MOST)
		return why_set(why, ACTOR_EARGS, "one in 1 to %d", MOST);
	if (q->most < 1 || q->most > MOST)
		return why_set(why, ACTOR_EARGS, "1 to %d traces", MOST);
	if (q->ms < 1 || q->ms > MOST_MS)
		return why_set(why, ACTOR_EARGS, "a trace lasts 1 to %d ms", MOST_MS);
	return 0;
}

int64_t traces_begin(struct traces *t, const struct traces_query *asked, struct why *why)
{
	struct trace_query q = { .every = asked->every, .most = asked->most, .from = asked->from };
	struct under_way *u = find(t, 0);
	const char *args;
	int rc = check(asked, why);

	if (rc == 0)
		rc = find_name(asked->name, &q, why);
	if (rc == 0)
		rc = find_handler(asked->handler, &q, &args, why);
	if (rc == 0)
		rc = find_arg(asked->arg, args, &q, why);
	if (rc == 0)
		rc = core_trace_begin(&q, why);
	if (rc < 0)
		return rc;
	*u = (struct under_way){ .number = ++t->number, .until_ms = now_ms() + asked->ms,
	                         .lease_ms = now_ms() + LEASE_MS, .trace = rc };
	return u->number;
}

/* --- what has happened -------------------------------------------------------------- */

static void id(struct pairs *p, const char *key, uint64_t v)
{
	char hex[17];

	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)v);
	pairs_text(p, key, v ? hex : NULL);
}

static void event(void *arg, const struct trace_event *e)
{
	static const char *const kinds[] = { "sent", "handled", "lost" };
	static const char *const origins[] = { "node", "control", "redis", "client" };
	struct rows *out = arg;
	struct pairs p = { 0 };

	if (out->n == EVENTS_MOST) {
		out->more++;
		return;
	}
	id(&p, "trace", e->trace);
	id(&p, "step", e->step);
	id(&p, "parent", e->parent);
	pairs_text(&p, "kind", kinds[e->kind]);
	pairs_text(&p, "actor", e->actor);
	pairs_text(&p, "handler", e->handler);
	pairs_text(&p, "from", e->from);
	pairs_bool(&p, "answer", e->answer);
	pairs_text(&p, "origin", e->kind == TRACE_HANDLED ? origins[e->origin] : NULL);
	pairs_text(&p, "worker", e->worker);
	pairs_int(&p, "at_us", e->at_ns / 1000);
	pairs_num(&p, "wait_us", (double)e->wait_ns / 1e3);
	pairs_num(&p, "took_us", (double)e->took_ns / 1e3);
	pairs_text(&p, "result", e->rc < 0 ? error_name(e->rc) : e->error ? "error" : "ok");
	pack_list(pairs_key(&p, "args"), e->args.at < e->args.end ? e->count : 0);
	buf_add(&p.b, e->args.at, (size_t)(e->args.end - e->args.at));
	rows_add(out, &p);
}

int traces_read(struct traces *t, int64_t number, struct buf *out, struct why *why)
{
	struct under_way *u = find_asked(t, number, why);
	struct rows events = { 0 };
	struct pairs p = { 0 };
	uint64_t missed;

	if (!u)
		return ACTOR_ENOENT;
	core_trace_look();
	pairs_bool(&p, "open", core_trace_left(u->trace) > 0 && now_ms() < u->until_ms);
	missed = core_trace_read(u->trace, event, &events);
	pairs_uint(&p, "missed", missed + events.more);
	rows_close(&events, pairs_key(&p, "events"));
	pairs_close(&p, out);
	u->lease_ms = now_ms() + LEASE_MS;
	return 0;
}

int traces_end(struct traces *t, int64_t number, struct why *why)
{
	struct under_way *u = find_asked(t, number, why);

	if (!u)
		return ACTOR_ENOENT;
	end(u);
	return 0;
}

bool traces_look(struct traces *t)
{
	bool any = false;

	for (int i = 0; i < TRACES_MAX; i++) {
		struct under_way *u = &t->one[i];

		if (u->number && (now_ms() > u->lease_ms || now_ms() > u->until_ms + LEASE_MS))
			end(u);
		any |= u->number != 0;
	}
	return any;
}
