/* SPDX-License-Identifier: MIT
 * counts.c - see counts.h. Each answer has a walk of its own past all actors (walk.h), as few ask
 * at once. The actor lives as long as the node, so it is there at a walk's end. */
#include "counts.h"

#include <stdio.h>

#include "answers.h"
#include "glance.h"
#include "ports.h"
#include "portrait.h"

/* What is answered when all actors have been passed. */
struct counting {
	struct walk walk;
	struct counts *of;
	actor *self;
	msg_caller caller;
	struct census census;           /* inspect, top */
	struct rows rows;               /* ps */
	struct top_query query;         /* top: its texts are ours */
	char filter[NAME_MAX_LEN + 1], sort[16];
};

static struct counting *counting_new(struct counts *of, actor *self, msg_caller caller)
{
	struct counting *c = mem_alloc(sizeof *c);

	c->of = of;
	c->self = self;
	c->caller = caller;
	return c;
}

/* Takes what is in b and c. */
static void counted(struct counting *c, struct buf *b, unsigned values)
{
	if (values)
		core_answer(c->self, c->caller, packed_of(b), values, 0, NULL);
	buf_fini(b);
	census_fini(&c->census);
	buf_fini(&c->rows.b);
	mem_free(c);
}

/* Its cell: actor_self() is a name. */
static actor_id of_self(actor *self)
{
	struct actor_info a;

	return core_inspect(actor_self(self), &a) == 0 ? a.id : 0;
}

static void count_cell(struct walk *w, const struct cell_info *cell)
{
	census_cell(&((struct counting *)w)->census, cell);
}

static void inspect_counted(struct walk *w, bool gone)
{
	struct counting *c = (struct counting *)w;
	struct glance g = { c->of->sources, &c->census, c->of->started_ms, c->of->ready };
	struct buf b = { 0 };

	if (!gone)
		glance_node(&g, &b);
	counted(c, &b, !gone);
}

void counts_inspect(struct counts *s, actor *self, msg_caller caller)
{
	struct counting *c = counting_new(s, self, caller);

	census_init(&c->census, 1, "");
	c->census.native = true;
	c->census.self = of_self(self);
	c->walk = (struct walk){ .each = count_cell, .done = inspect_counted };
	walk_begin(&s->walks, self, &c->walk);
}

static void row_cell(struct walk *w, const struct cell_info *cell)
{
	portrait_row(cell->id, &((struct counting *)w)->rows);
}

static void ps_counted(struct walk *w, bool gone)
{
	struct counting *c = (struct counting *)w;
	struct buf b = { 0 };

	rows_close(&c->rows, &b);
	pack_uint(&b, c->rows.more);
	counted(c, &b, gone ? 0 : 2);
}

void counts_ps(struct counts *s, actor *self, msg_caller caller)
{
	struct counting *c = counting_new(s, self, caller);

	c->walk = (struct walk){ .each = row_cell, .done = ps_counted };
	walk_begin(&s->walks, self, &c->walk);
}

static void top_counted(struct walk *w, bool gone)
{
	struct counting *c = (struct counting *)w;
	struct buf b = { 0 };

	if (!gone)
		top_answer(c->of->top, &c->query, &c->census, &b);
	counted(c, &b, !gone);
}

void counts_top(struct counts *s, actor *self, msg_caller caller, const struct top_query *q)
{
	struct counting *c = counting_new(s, self, caller);

	snprintf(c->sort, sizeof c->sort, "%s", q->sort);
	snprintf(c->filter, sizeof c->filter, "%s", q->filter);
	c->query = (struct top_query){ q->since, c->sort, c->filter, q->rows };
	census_init(&c->census, (size_t)q->rows, c->filter);
	c->census.self = of_self(self);
	c->walk = (struct walk){ .each = count_cell, .done = top_counted };
	walk_begin(&s->walks, self, &c->walk);
}

void counts_init(struct counts *s, const struct control_sources *sources)
{
	*s = (struct counts){ .sources = sources, .started_ms = now_ms(), .top = top_new() };
}

void counts_fini(struct counts *s)
{
	walks_fini(&s->walks);
	top_free(s->top);
}
