/* SPDX-License-Identifier: MIT
 * commands.c - the actor `node`: actorctl's commands are its handlers, and they own their
 * data.
 *
 * The idea: what the runtime says of itself comes the way that everything comes here, as
 * answers of an actor, so that the control socket, Redis and other actors ask alike. It
 * lives on the I/O home and only looks (core's tables may be read while everything runs),
 * so it answers while every worker is stuck. `call` and `send` turn words of a command line
 * into values by the handler's signature; an answer of the actor called is passed on to
 * whoever called `call`.
 *
 * Threads: all on the home's. Does not know Redis, clients or patches: their sections come
 * by control_sources. */
#include "commands.h"
#include "answers.h"
#include "asked.h"
#include "lines.h"
#include "counts.h"
#include "crashes.h"
#include "gather.h"
#include "inspection.h"
#include "ports.h"
#include "rights.h"
#include "traces.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	WAITING_MAX = 4096,             /* who waits for `ready`, and calls under way */
	TIMEOUT_MAX_MS = 3600000,
	STOP_DRAIN_MS = 1000,
	TRACES_LOOK_MS = 1000,
};

struct commands {
	struct control_sources sources;
	actor_id self;
	msg_caller waiting[WAITING_MAX];        /* for ready */
	unsigned waiting_count;
	void *calls;                            /* of struct call_under_way, by its question */
	unsigned call_count;
	struct inspections inspections;
	struct counts counts;
	struct parts *parts;
	struct traces *traces;
	struct gathers gathers;
	bool traced;                            /* it looks whether they are to end */
};

struct call_under_way { struct asked asked; msg_caller caller; };

static struct commands *commands_of(actor *self)
{
	return *(struct commands **)actor_state(self);
}

/* --- ping, ready -------------------------------------------------------------- */

static int on_ping(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, "pong");
}

static int on_ready(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	msg_caller caller;

	if (n->counts.ready)
		return msg_reply(m, true);
	if (n->waiting_count == WAITING_MAX)
		return msg_fail(m, "%d wait already until this node is ready", WAITING_MAX);
	caller = msg_defer(m);
	if (caller)
		n->waiting[n->waiting_count++] = caller;
	return 0;
}

void commands_ready(struct commands *n)
{
	actor *self = core_actor(n->self);
	struct buf b = { 0 };
	unsigned i;

	pack_bool(&b, true);
	n->counts.ready = true;
	for (i = 0; i < n->waiting_count; i++)
		core_answer(self, n->waiting[i], packed_of(&b), 1, 0, NULL);
	n->waiting_count = 0;
	buf_fini(&b);
}

/* --- inspect, ps -------------------------------------------------------------- */

static int on_inspect(actor *self, const msg *m)
{
	counts_inspect(&commands_of(self)->counts, self, msg_defer(m));
	return 0;
}

static int on_walk(actor *self, const msg *m)
{
	(void)m;
	walk_on(&commands_of(self)->counts.walks, self);
	return 0;
}

static int on_looked(actor *self, const msg *m)
{
	return inspection_came(&commands_of(self)->inspections, self, m) ? 0 :
	       msg_fail(m, "`looked` takes answers only");
}

static int on_inspect_actor(actor *self, const msg *m)
{
	actor_ref who = actor_find(msg_str(m, 0));
	struct commands *n = commands_of(self);
	struct actor_info a;
	struct why why;

	if (core_inspect(who, &a) != 0)
		return refuse(self, msg_defer(m), no_actor(&why, msg_str(m, 0)), why.text);
	inspection_begin(&n->inspections, self, who, msg_defer(m));
	return 0;
}

static int on_ps(actor *self, const msg *m)
{
	counts_ps(&commands_of(self)->counts, self, msg_defer(m));
	return 0;
}

/* --- call, send --------------------------------------------------------------- */

static int on_send(actor *self, const msg *m)
{
	struct buf values = { 0 };
	struct call c = { 0 };
	struct why why = { "" };
	int rc = words_call(m, &c, &values, &why);

	if (rc == 0)
		rc = rights_call(m, &c, commands_of(self)->sources.unsigned_redis, &why);
	if (rc == 0)
		rc = core_send(self, &c, &why);
	buf_fini(&values);
	return rc == 0 ? 0 : refuse(self, msg_defer(m), rc, why.text);
}

/* c, for whoever sent m, who is answered when it is (on_called()). */
static int ask(actor *self, const msg *m, const struct call *c, int64_t ms)
{
	struct commands *n = commands_of(self);
	struct call_under_way *u;
	struct why why = { "" };
	int64_t rc;

	if (ms < 1 || ms > TIMEOUT_MAX_MS)
		return msg_fail(m, "timeout_ms is 1 to %d", TIMEOUT_MAX_MS);
	if (n->call_count == WAITING_MAX)
		return msg_fail(m, "%d calls are under way already: try again later, "
			"`actorctl top` shows what is slow", WAITING_MAX);
	rc = rights_call(m, c, n->sources.unsigned_redis, &why);
	if (rc == 0)
		rc = core_ask(self, c, "called", (int)ms, &why);
	if (rc < 0)
		return refuse(self, msg_defer(m), (int)rc, why.text);
	u = mem_alloc(sizeof *u);
	u->asked.number = rc;
	u->caller = msg_defer(m);
	asked_add(&n->calls, &u->asked);
	n->call_count++;
	return 0;
}

static int on_call(actor *self, const msg *m)
{
	struct buf values = { 0 };
	struct call c = { 0 };
	struct why why = { "" };
	int rc = words_call(m, &c, &values, &why);

	rc = rc ? refuse(self, msg_defer(m), rc, why.text) : ask(self, m, &c, msg_int(m, 3));
	buf_fini(&values);
	return rc;
}

static int on_called(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	struct call_under_way *u = asked_take(&n->calls, msg_ask(m));
	struct buf b = { 0 };
	unsigned count;

	if (!u)
		return msg_fail(m, "`called` takes the answers of `call` only");
	n->call_count--;
	count = msg_error(m) ? 0 : (unsigned)msg_pack(m, 0, &b);
	core_answer(self, u->caller, packed_of(&b), count, msg_error(m), msg_error_text(m));
	mem_free(u);
	buf_fini(&b);
	return 0;
}

/* --- top ---------------------------------------------------------------------- */

static int on_top(actor *self, const msg *m)
{
	struct top_query q = { msg_int(m, 0), msg_str(m, 1), msg_str(m, 2), msg_int(m, 3) };
	struct why why;
	int rc = top_check(&q, &why);

	if (rc < 0)
		return refuse(self, msg_defer(m), rc, why.text);
	counts_top(&commands_of(self)->counts, self, msg_defer(m), &q);
	return 0;
}

/* --- log ---------------------------------------------------------------------- */

static int on_log(actor *self, const msg *m)
{
	struct lines_query q = { msg_int(m, 0), msg_str(m, 1), msg_str(m, 2), msg_int(m, 3) };
	struct buf b = { 0 };
	struct why why;
	int rc = lines_answer(&q, &b, &why);

	return rc < 0 ? refuse(self, msg_defer(m), rc, why.text) : reply(self, m, &b, 1);
}

static int on_crash_list(actor *self, const msg *m)
{
	struct buf b = { 0 };

	crashes_list(&b);
	return reply(self, m, &b, 1);
}

static int on_crash_show(actor *self, const msg *m)
{
	struct buf b = { 0 };
	struct why why;
	int rc = crashes_show(msg_int(m, 0), &b, &why);

	return rc < 0 ? refuse(self, msg_defer(m), rc, why.text) : reply(self, m, &b, 1);
}

/* --- trace -------------------------------------------------------------------- */

static void look_at_traces(struct commands *n, actor *self)
{
	if (!n->traced)
		actor_after(self, TRACES_LOOK_MS, "trace_look");
	n->traced = true;
}

static int on_trace(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	struct traces_query q = { msg_str(m, 0), msg_str(m, 1), msg_str(m, 2), msg_str(m, 3),
	                          msg_str(m, 7), msg_str(m, 8),
	                          msg_int(m, 4), msg_int(m, 5), msg_int(m, 6) };
	struct why why;
	int64_t number = traces_begin(n->traces, &q, &why);

	if (number < 0)
		return refuse(self, msg_defer(m), (int)number, why.text);
	look_at_traces(n, self);
	return msg_reply(m, number);
}

static int on_traced(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	struct traces_news news;
	struct why why;
	int rc = traces_read(n->traces, msg_int(m, 0), &news, &why);

	if (rc < 0)
		return refuse(self, msg_defer(m), rc, why.text);
	gather_begin(&n->gathers, self, msg_int(m, 0), &news, msg_defer(m));
	return 0;
}

/* What this node knows of traces that another one draws. */
static int on_trace_part(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	struct rows rows = { 0 };
	struct buf ids = { 0 }, b = { 0 };
	uint64_t missed = 0;
	struct packed in;
	struct value list, id;

	msg_pack(m, 1, &ids);
	in = packed_of(&ids);
	packed_next(&in, &list);
	for (; list.len > 0 && packed_next(&in, &id) == 1; list.len--)
		if (id.type == VALUE_INT || id.type == VALUE_UINT)
			missed += parts_read(n->parts, msg_str(m, 0), (uint64_t)id.i, &rows);
	look_at_traces(n, self);
	rows_close(&rows, &b);
	pack_uint(&b, missed);
	buf_fini(&ids);
	return reply(self, m, &b, 2);
}

static int on_trace_came(actor *self, const msg *m)
{
	return gather_came(&commands_of(self)->gathers, self, m) ? 0 :
	       msg_fail(m, "`trace_came` takes answers only");
}

static int on_trace_end(actor *self, const msg *m)
{
	struct why why;
	int rc = traces_end(commands_of(self)->traces, msg_int(m, 0), &why);

	return rc < 0 ? refuse(self, msg_defer(m), rc, why.text) : 0;
}

static int on_trace_look(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);

	(void)m;
	n->traced = traces_look(n->traces);
	n->traced |= parts_look(n->parts);
	if (n->traced)
		actor_after(self, TRACES_LOOK_MS, "trace_look");
	return 0;
}

/* --- pass: for who comes through Redis ----------------------------------------- */

/* To another actor of this very node, and its answer back. */
static int on_pass(actor *self, const msg *m)
{
	struct buf values = { 0 };
	struct call c = { .to = actor_find(msg_str(m, 0)), .what = msg_str(m, 1),
	                  .origin = msg_origin(m) };
	int rc;

	c.count = (unsigned)msg_pack(m, 3, &values);
	c.args = packed_of(&values);
	rc = ask(self, m, &c, msg_int(m, 2));
	buf_fini(&values);
	return rc;
}

static bool may_change(actor *self, const msg *m)
{
	return rights_change(self, m, commands_of(self)->sources.unsigned_redis);
}

/* type and level: sets it; else, and after that, says what was set. */
static int on_log_level(actor *self, const msg *m)
{
	const char *type = msg_str(m, 0);
	struct buf b = { 0 };
	struct why why;
	int rc = 0;

	if (msg_count(m) == 2) {
		if (!may_change(self, m))
			return 0;
		rc = core_type(type) ? lines_level(type, msg_str(m, 1), &why) :
			why_set(&why, ACTOR_ENOENT, "no actor type `%s` here; `actorctl ps` shows "
				"the types", type);
	}
	if (rc < 0)
		return refuse(self, msg_defer(m), rc, why.text);
	lines_levels(&b);
	return reply(self, m, &b, 1);
}

/* --- stop --------------------------------------------------------------------- */

static int on_stop(actor *self, const msg *m)
{
	const char *name = msg_str(m, 0);
	struct why why;
	int rc;

	if (!may_change(self, m))
		return 0;
	rc = core_stop_actor(actor_find(name), STOP_DRAIN_MS, &why);

	if (rc == ACTOR_ENOENT)
		return refuse(self, msg_defer(m), no_actor(&why, name), why.text);
	return rc < 0 ? msg_fail(m, "%s", why.text) : 0;
}

/* --- variables ---------------------------------------------------------------- */

/* NAME.VAR: NAME may have dots. */
static int find_var(const msg *m, actor_ref *who, struct offer *v, struct why *why)
{
	const char *what = msg_str(m, 0), *dot = strrchr(what, '.');
	char name[NAME_MAX_LEN + 1];

	if (!dot || (size_t)(dot - what) >= sizeof name)
		return why_set(why, ACTOR_EARGS, "`%.64s` is no NAME.VAR: an actor and one of its "
		               "variables, which `actorctl inspect NAME` lists", what);
	snprintf(name, sizeof name, "%.*s", (int)(dot - what), what);
	*who = actor_find(name);
	if (!core_alive(*who))
		return no_actor(why, name);
	return core_var(*who, dot + 1, v, why);
}

static int tell_var(actor *self, const msg *m, const struct offer *v, double is)
{
	struct buf b = { 0 };

	portrait_value(v, is, &b);
	portrait_var(v, is, &b);
	return reply(self, m, &b, 2);
}

static int on_var_get(actor *self, const msg *m)
{
	struct offer v;
	struct why why;
	actor_ref who;
	int rc = find_var(m, &who, &v, &why);

	return rc < 0 ? refuse(self, msg_defer(m), rc, why.text)
	              : tell_var(self, m, &v, core_var_get(&v));
}

static int on_var_set(actor *self, const msg *m)
{
	const char *text = msg_str(m, 1);
	struct offer v;
	struct why why;
	actor_ref who;
	char *end;
	double to;
	int rc;

	if (!may_change(self, m))
		return 0;
	rc = find_var(m, &who, &v, &why);
	to = strtod(text, &end);
	if (!rc && (end == text || *end))
		rc = why_set(&why, ACTOR_EARGS, "%s takes a number from %.15g to %.15g; `%.64s` "
		             "is none", v.name, v.least, v.most, text);
	if (!rc)
		rc = core_var_set(who, &v, to, &why);
	return rc < 0 ? refuse(self, msg_defer(m), rc, why.text) : tell_var(self, m, &v, to);
}

/* --- nodes -------------------------------------------------------------------- */

static int on_nodes(actor *self, const msg *m)
{
	const struct control_sources *s = &commands_of(self)->sources;
	struct buf rows = { 0 }, b = { 0 };
	const char *but = NULL;
	unsigned n = s->nodes ? s->nodes(s->arg, &rows, &but) : 0;

	pack_list(&b, n);
	buf_add(&b, rows.p, rows.len);
	pack_text(&b, but);
	buf_fini(&rows);
	return reply(self, m, &b, 2);
}

/* --- start -------------------------------------------------------------------- */

struct start_under_way { struct commands *of; msg_caller caller; };

static void started(void *of, int rc, const char *text)
{
	struct start_under_way *u = of;
	actor *self = core_actor(u->of->self);

	if (self)
		core_answer(self, u->caller, (struct packed){ 0 }, 0, rc, text);
	mem_free(u);
}

static int on_start(actor *self, const msg *m)
{
	struct commands *n = commands_of(self);
	struct start_under_way *u;
	struct why why;

	if (!n->sources.start)
		return msg_fail(m, "this node starts no actors: name them on its command line");
	if (!may_change(self, m))
		return 0;
	u = mem_alloc(sizeof *u);
	*u = (struct start_under_way){ n, msg_defer(m) };
	if (n->sources.start(n->sources.arg, msg_str(m, 0), started, u, &why) < 0) {
		refuse(self, u->caller, ACTOR_EFAIL, why.text);
		mem_free(u);
	}
	return 0;
}

/* --- its life ----------------------------------------------------------------- */

static const struct actor_type node_type = {
	.name  = "node",
	.state = sizeof(struct commands *),
	.on    = ON({ "ping", "", on_ping, 0 },
	            { "ready", "", on_ready, 0 },
	            { "nodes", "", on_nodes, 0 },
	            { "pass", "name:str handler:str timeout_ms:int ...", on_pass, 0 },
	            { "inspect", "", on_inspect, 0 },
	            { "inspect_actor", "name:str", on_inspect_actor, 0 },
	            { "looked", "...", on_looked, 0 },
	            { "ps", "", on_ps, 0 },
	            { "walk", "", on_walk, 0 },
	            { "log", "after:int name:str level:str most:int", on_log, 0 },
	            { "crash_list", "", on_crash_list, 0 },
	            { "crash_show", "number:int", on_crash_show, 0 },
	            { "log_level", "type:str? level:str?", on_log_level, 0 },
	            { "stop", "name:str", on_stop, 0 },
	            { "start", "what:str", on_start, 0 },
	            { "var_get", "what:str", on_var_get, 0 },
	            { "var_set", "what:str value:str", on_var_set, 0 },
	            { "top", "since:int sort:str filter:str rows:int", on_top, 0 },
	            { "trace", "name:str handler:str arg:str from:str every:int most:int ms:int "
	              "client:str? id:str?", on_trace, 0 },
	            { "trace_part", "asker:str ids:list", on_trace_part, 0 },
	            { "trace_came", "...", on_trace_came, 0 },
	            { "traced", "trace:int", on_traced, 0 },
	            { "trace_end", "trace:int", on_trace_end, 0 },
	            { "trace_look", "", on_trace_look, 0 },
	            { "call", "name:str handler:str args:list timeout_ms:int", on_call, 0 },
	            { "send", "name:str handler:str args:list", on_send, 0 },
	            { "called", "...", on_called, 0 }),
};

/* One by its own name; else what Redis reaches the node by, which is a topic. */
static struct type *type_for(const char *name, struct why *why)
{
	static struct actor_type remote_type;
	bool here = !strcmp(name, node_type.name);
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true,
		                        .topic = !here };
	struct type *known;

	remote_type = node_type;
	remote_type.name = "node through Redis";
	known = core_type(here ? node_type.name : remote_type.name);
	return known ? known : core_add_type(here ? &node_type : &remote_type, &options, NULL, why);
}

struct commands *commands_new(struct home *home, const char *name,
                              const struct control_sources *sources, struct why *why)
{
	struct commands *n = mem_alloc(sizeof *n);
	struct spawn s = { .name = name, .home = home, .type = type_for(name, why),
		           .init = &n, .size = sizeof n };

	n->sources = *sources;
	n->inspections.sources = &n->sources;
	counts_init(&n->counts, &n->sources);
	n->parts = parts_new(n->sources.node);
	n->traces = traces_new(n->parts);
	n->gathers.sources = &n->sources;
	if (!s.type || core_spawn(&s, &n->self, why) != 0) {
		commands_free(n);
		return NULL;
	}
	return n;
}

void commands_free(struct commands *n)
{
	if (!n)
		return;
	asked_free(&n->calls, mem_free);
	inspections_fini(&n->inspections);
	counts_fini(&n->counts);
	gathers_fini(&n->gathers);
	traces_free(n->traces);
	parts_free(n->parts);
	mem_free(n);
}
