/* SPDX-License-Identifier: MIT
 * portrait.c - see portrait.h. Any thread. */
#include "portrait.h"

#include <stdio.h>

#include "ages.h"
#include "ports.h"
#include "rows.h"

enum { ROWS_MAX = 10000 };      /* so that an answer stays far below MESSAGE_MAX */

/* The word of its life; whether it is in a handler this moment is its `activity`. */
static const char *life(const struct actor_info *a)
{
	bool between = strstr("starting stopping restarting", a->state) != NULL;

	return between ? a->state : "running";
}

static void add_identity(struct pairs *p, const struct actor_info *a)
{
	pairs_text(p, "name", a->name);
	pairs_text(p, "type", a->type);
	pairs_text(p, "state", life(a));
	pairs_text(p, "activity", a->state);
	pairs_text(p, "home", a->home);
}

static void add_times(struct pairs *p, const struct handler_info *h)
{
	struct handler_times t;

	core_handler_times(h, &t);
	pairs_uint(p, "us", h->ns / 1000);
	pairs_num(p, "mean_us", h->calls ? (double)h->ns / 1e3 / (double)h->calls : 0);
	pairs_num(p, "p50_us", (double)core_times_part(&t, 0.5) / 1e3);
	pairs_num(p, "p99_us", (double)core_times_part(&t, 0.99) / 1e3);
	pairs_num(p, "max_us", (double)t.most_ns / 1e3);
}

static void handler_row(void *arg, const struct handler_info *h)
{
	struct rows *r = arg;
	struct pairs p = { 0 };

	pairs_text(&p, "name", h->name);
	pairs_text(&p, "args", h->args);
	pairs_bool(&p, "client", h->flags & ON_CLIENT);
	pairs_uint(&p, "patch", h->version);
	pairs_uint(&p, "calls", h->calls);
	pairs_uint(&p, "failures", h->failures);
	add_times(&p, h);
	rows_add(r, &p);
}

static void add_mailbox(struct pairs *out, const struct actor_info *a)
{
	struct pairs p = { 0 };

	pairs_uint(&p, "waiting", a->depth);
	pairs_uint(&p, "max_waiting", a->max_count);
	pairs_uint(&p, "bytes", a->bytes);
	pairs_uint(&p, "max_bytes", a->max_bytes);
	ages_pairs(a, &p);
	pairs_close(&p, pairs_key(out, "mailbox"));
}

/* --- what it says itself ------------------------------------------------------ */

static void pass_on(struct pairs *p, struct packed inner, const char *key)
{
	struct packed one;

	if (packed_find(inner, key, &one))
		buf_add(pairs_key(p, key), one.at, (size_t)(one.end - one.at));
	else
		pack_null(pairs_key(p, key));
}

static void add_family(struct pairs *p, const struct actor_info *a, struct packed inner)
{
	struct actor_info parent;

	if (!a->parent || core_inspect(a->parent, &parent) != 0)
		pairs_text(p, "parent", NULL);
	else
		pairs_text(p, "parent", parent.name ? parent.name : parent.type);
	pass_on(p, inner, "children");
}

static void add_fields(struct pairs *p, const struct portrait *of)
{
	struct buf rows = { 0 };
	struct value v = packed_get(of->inner, "state");
	int n = -1;

	if (of->sources->fields && v.type != VALUE_NULL)
		n = of->sources->fields(of->of->of, v.str, v.len, &rows);
	pairs_list(p, "fields", packed_of(&rows), n);
	buf_fini(&rows);
}

void portrait_value(const struct offer *v, double is, struct buf *out)
{
	if (v->kind == 'i')
		pack_int(out, (int64_t)is);
	else
		pack_num(out, is);
}

void portrait_var(const struct offer *v, double is, struct buf *out)
{
	struct pairs p = { 0 };

	pairs_text(&p, "name", v->name);
	pairs_text(&p, "type", v->kind == 'i' ? "int" : "num");
	portrait_value(v, is, pairs_key(&p, "value"));
	portrait_value(v, v->least, pairs_key(&p, "least"));
	portrait_value(v, v->most, pairs_key(&p, "most"));
	pairs_close(&p, out);
}

static void add_variables(struct pairs *p, const struct actor_info *a)
{
	struct rows rows = { 0 };
	struct offer o;

	for (size_t i = 0; core_offer(i, &o); i++)
		if (o.kind != 'f' && !strcmp(o.type, a->type)) {
			portrait_var(&o, core_var_get(&o), &rows.b);
			rows.n++;
		}
	rows_close(&rows, pairs_key(p, "variables"));
}

bool portrait_asked(struct packed inner, char name[NAME_MAX_LEN + 1])
{
	struct packed list;
	struct value v;

	if (!packed_find(inner, "waits_for", &list) || packed_next(&list, &v) != 1 || !v.len)
		return false;
	v = packed_get(list, "asked");
	snprintf(name, NAME_MAX_LEN + 1, "%.*s", v.type == VALUE_STR ? (int)v.len : 0, v.str);
	return *name != 0;
}

/* --- what it is in right now --------------------------------------------------- */

struct running { const struct actor_info *a; struct pairs *p; bool found; };

static void running_now(void *arg, const struct worker_info *w)
{
	struct running *r = arg;
	struct pairs p = { 0 };

	if (r->found || !w->actor || strcmp(w->actor, r->a->name ? r->a->name : r->a->type) != 0)
		return;
	r->found = true;
	pairs_text(&p, "handler", w->handler);
	pairs_int(&p, "for_ms", w->since_ns ? (now_ns() - w->since_ns) / 1000000 : 0);
	pairs_text(&p, "on", w->name);
	pairs_close(&p, pairs_key(r->p, "running"));
}

static void add_running(struct pairs *p, const struct actor_info *a)
{
	struct running r = { a, p, strcmp(a->state, "running") != 0 };

	if (r.found)
		pack_null(pairs_key(p, "running"));
	else
		core_workers(running_now, &r);
	if (!r.found)
		pack_null(pairs_key(p, "running"));
}

void portrait_actor(const struct portrait *of, struct buf *out)
{
	static const char *const told[] = { "mode", "stash", "timers", "waits_for",
	                                    "keeps_waiting", "links", "monitors",
	                                    "monitored_by" };
	const struct actor_info *a = of->of;
	struct rows handlers = { 0 };
	struct pairs p = { 0 };

	core_handlers(a->of, handler_row, &handlers);
	add_identity(&p, a);
	add_running(&p, a);
	add_mailbox(&p, a);
	pairs_text(&p, "held_by", a->held_by);
	pairs_uint(&p, "state_bytes", a->state_size);
	pairs_uint(&p, "asks", a->asks);
	pairs_uint(&p, "restarts", a->restarts);
	add_family(&p, a, of->inner);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		pass_on(&p, of->inner, told[i]);
	pairs_text(&p, "waits_in_a_circle", of->circle);
	add_fields(&p, of);
	add_variables(&p, a);
	rows_close(&handlers, pairs_key(&p, "handlers"));
	pairs_close(&p, out);
}

void portrait_row(actor_id id, struct rows *out)
{
	struct pairs p = { 0 };
	struct actor_info a;

	if (out->n == ROWS_MAX) {
		out->more++;
		return;
	}
	if (core_inspect(id, &a) != 0)
		return;
	add_identity(&p, &a);
	pairs_uint(&p, "waiting", a.depth);
	pairs_uint(&p, "bytes", a.bytes);
	pairs_uint(&p, "asks", a.asks);
	pairs_uint(&p, "restarts", a.restarts);
	rows_add(out, &p);
}
