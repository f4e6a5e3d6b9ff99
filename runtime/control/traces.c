/* SPDX-License-Identifier: MIT
 * traces.c - see traces.h. The core notes what happens, this says what is asked about, and hands it
 * on. A trace ends by itself: after its time, and when it is not read for LEASE_MS, so that nothing
 * stays behind of a tool that was killed. */
#include "traces.h"

#include <stdio.h>
#include <stdlib.h>

#include "keep.h"
#include "ports.h"
#include "signature.h"

enum {
	LEASE_MS = 5000, MOST = 1000000, MOST_MS = 3600000, UNDER_WAY_MOST = 32,
};

/* trace: the core's; -1: it only looks for an id. */
struct under_way { int64_t number, until_ms, lease_ms; int trace; uint64_t id; };

struct traces {
	struct parts *parts;
	struct under_way one[UNDER_WAY_MOST];
	int64_t number;
};

struct traces *traces_new(struct parts *parts)
{
	struct traces *t = mem_alloc(sizeof *t);

	t->parts = parts;
	return t;
}

static void end(struct under_way *u)
{
	if (u->trace >= 0)
		core_trace_end(u->trace);
	*u = (struct under_way){ .number = 0 };
}

void traces_free(struct traces *t)
{
	mem_free(t);
}

static struct under_way *find(struct traces *t, int64_t number)
{
	for (int i = 0; i < UNDER_WAY_MOST; i++)
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
		return why_set(why, ACTOR_EARGS, "--every is one in 1 to %d", MOST);
	if (q->most < 1 || q->most > MOST)
		return why_set(why, ACTOR_EARGS, "-n is 1 to %d traces", MOST);
	if (q->ms < 1 || q->ms > MOST_MS)
		return why_set(why, ACTOR_EARGS, "a trace lasts 1 to %d ms", MOST_MS);
	return 0;
}

/* Is the message from this client: by its user, or the number of its session? */
static bool is_client(actor_id from, const char *client)
{
	char user[NAME_MAX_LEN + 1], *end;

	if (strtoull(client, &end, 10) == from && !*end)
		return true;
	return keep_user(from, user, sizeof user) > 0 && strcmp(user, client) == 0;
}

/* What is begun in the core: its number there. */
static int begin(const struct traces_query *asked, struct why *why)
{
	struct trace_query q = { .every = asked->every, .most = asked->most, .from = asked->from,
	                         .client = asked->client,
	                         .sender = *asked->client ? is_client : NULL };
	const char *args;
	int rc = find_name(asked->name, &q, why);

	if (rc == 0)
		rc = find_handler(asked->handler, &q, &args, why);
	if (rc == 0)
		rc = find_arg(asked->arg, args, &q, why);
	return rc == 0 ? core_trace_begin(&q, why) : rc;
}

int64_t traces_begin(struct traces *t, const struct traces_query *q, struct why *why)
{
	struct under_way *u = find(t, 0);
	uint64_t id = core_trace_link(q->id).trace;
	int rc = check(q, why), trace = -1;

	if (rc == 0 && !u)
		rc = why_set(why, ACTOR_ENOMEM, "%d traces are under way already: wait until some "
			"have ended", UNDER_WAY_MOST);
	if (rc == 0 && *q->id && !id)
		rc = why_set(why, ACTOR_EARGS, "`%.64s` is no trace's id: that is up to 16 hex "
			"digits, or a traceparent", q->id);
	if (rc == 0 && !id)
		rc = trace = begin(q, why);
	if (rc < 0)
		return rc;
	*u = (struct under_way){ .number = ++t->number, .until_ms = now_ms() + q->ms,
	                         .lease_ms = now_ms() + LEASE_MS, .trace = trace,
	                         .id = id ? id : core_trace_id(trace) };
	return u->number;
}

/* --- what has happened -------------------------------------------------------------- */

int traces_read(struct traces *t, int64_t number, struct traces_news *out, struct why *why)
{
	struct under_way *u = find_asked(t, number, why);
	char asker[32];
	bool over = u && now_ms() >= u->until_ms;
	int64_t left = 1;

	if (!u)
		return ACTOR_ENOENT;
	if (over && u->trace >= 0)
		core_trace_close(u->trace);
	core_trace_look();
	*out = (struct traces_news){ .ids = 1, .id = { u->id } };
	if (u->trace >= 0) {
		left = core_trace_left(u->trace);
		out->ids += core_trace_met(u->trace, out->id + 1);
	}
	out->open = left > 0 && !over;
	snprintf(asker, sizeof asker, "#%lld", (long long)number);
	for (int i = 0; i < out->ids; i++)
		out->missed += parts_read(t->parts, asker, out->id[i], &out->events);
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

	for (int i = 0; i < UNDER_WAY_MOST; i++) {
		struct under_way *u = &t->one[i];

		if (u->number && (now_ms() > u->lease_ms || now_ms() > u->until_ms + LEASE_MS))
			end(u);
		any |= u->number != 0;
	}
	return any;
}
