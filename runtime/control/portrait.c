/* SPDX-License-Identifier: MIT
 * portrait.c - see portrait.h. Any thread. */
#include "portrait.h"

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
	pairs_uint(&p, "us", h->ns / 1000);
	rows_add(r, &p);
}

static void add_mailbox(struct pairs *out, const struct actor_info *a)
{
	struct pairs p = { 0 };

	pairs_uint(&p, "waiting", a->depth);
	pairs_uint(&p, "max_waiting", a->max_count);
	pairs_uint(&p, "bytes", a->bytes);
	pairs_uint(&p, "max_bytes", a->max_bytes);
	pairs_close(&p, pairs_key(out, "mailbox"));
}

struct children { actor_id parent; struct rows rows; };

static void child_row(void *arg, const struct actor_info *a)
{
	struct children *c = arg;

	if (a->parent != c->parent || c->rows.n == ROWS_MAX)
		return;
	pack_text(&c->rows.b, a->name ? a->name : a->type);
	c->rows.n++;
}

static void add_family(struct pairs *p, const struct actor_info *a)
{
	struct children c = { .parent = a->id };
	struct actor_info parent;

	if (!a->parent || core_inspect(a->parent, &parent) != 0)
		pairs_text(p, "parent", NULL);
	else
		pairs_text(p, "parent", parent.name ? parent.name : parent.type);
	core_actors(child_row, &c);
	rows_close(&c.rows, pairs_key(p, "children"));
}

void portrait_actor(const struct actor_info *a, struct buf *out)
{
	struct rows handlers = { 0 };
	struct pairs p = { 0 };

	core_handlers(a->of, handler_row, &handlers);
	add_identity(&p, a);
	add_mailbox(&p, a);
	pairs_uint(&p, "state_bytes", a->state_size);
	pairs_uint(&p, "asks", a->asks);
	pairs_uint(&p, "restarts", a->restarts);
	add_family(&p, a);
	rows_close(&handlers, pairs_key(&p, "handlers"));
	pairs_close(&p, out);
}

static void actor_row(void *arg, const struct actor_info *a)
{
	struct rows *r = arg;
	struct pairs p = { 0 };

	if (r->n == ROWS_MAX) {
		r->more++;
		return;
	}
	add_identity(&p, a);
	pairs_uint(&p, "waiting", a->depth);
	pairs_uint(&p, "bytes", a->bytes);
	pairs_uint(&p, "asks", a->asks);
	pairs_uint(&p, "restarts", a->restarts);
	rows_add(r, &p);
}

void portrait_rows(struct buf *out)
{
	struct rows rows = { 0 };

	core_actors(actor_row, &rows);
	rows_close(&rows, out);
	pack_uint(out, rows.more);
}
