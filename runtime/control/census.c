/* SPDX-License-Identifier: MIT
 * census.c - see census.h. */
#include "census.h"

#include <stdlib.h>

static struct census_type *place(struct census *c, struct type *of)
{
	size_t i = c->last;

	if (i < c->types && c->type[i].of == of)
		return &c->type[i];
	for (i = 0; i < c->types; i++)
		if (c->type[i].of == of || strcmp(type_name(c->type[i].of), type_name(of)) == 0)
			break;
	if (i == c->types) {
		c->type = mem_resize(c->type, ++c->types * sizeof *c->type);
		c->type[i] = (struct census_type){ .of = of };
	}
	c->last = i;
	return &c->type[i];
}

static void weigh(struct census *c, const struct cell_info *cell, uint32_t depth)
{
	size_t i;

	if ((type_native(cell->of) && !c->native) ||
	    (c->n == c->most && (!c->n || depth <= c->full[c->n - 1].depth)) ||
	    (*c->filter && !strstr(type_name(cell->of), c->filter)))
		return;
	i = c->n < c->most ? c->n++ : c->n - 1;
	for (; i > 0 && c->full[i - 1].depth < depth; i--)
		c->full[i] = c->full[i - 1];
	c->full[i] = *cell;
	c->full[i].depth = depth;
}

void census_init(struct census *c, size_t most, const char *filter)
{
	*c = (struct census){ .full = mem_alloc(most * sizeof *c->full), .most = most,
	                      .filter = filter };
}

void census_cell(void *census, const struct cell_info *cell)
{
	struct census *c = census;
	struct census_type *t = place(c, cell->of);
	uint32_t depth = cell->depth - (cell->id == c->self && cell->depth);

	t->actors++;
	t->waiting += depth;
	t->mailbox_bytes += depth ? cell->bytes : 0;
	t->state_bytes += cell->state_bytes;
	if (depth)
		weigh(c, cell, depth);
}

void census_fini(struct census *c)
{
	mem_free(c->type);
	mem_free(c->full);
	*c = (struct census){ .types = 0 };
}

const struct census_type *census_of(const struct census *c, const char *type)
{
	for (size_t i = 0; i < c->types; i++)
		if (strcmp(type_name(c->type[i].of), type) == 0)
			return &c->type[i];
	return NULL;
}

uint64_t census_bytes(const struct census_type *t)
{
	return t->state_bytes + t->mailbox_bytes + (t->of ? core_allocated(t->of) : 0);
}

struct census_type census_all(const struct census *c)
{
	struct census_type all = { .of = NULL };

	for (size_t i = 0; i < c->types; i++) {
		all.actors += c->type[i].actors;
		all.waiting += c->type[i].waiting;
		all.mailbox_bytes += c->type[i].mailbox_bytes;
		all.state_bytes += c->type[i].state_bytes;
	}
	return all;
}

static int by_bytes(const void *a, const void *b)
{
	uint64_t x = census_bytes(a), y = census_bytes(b);

	return (x < y) - (x > y);
}

void census_rows(const struct census *c, size_t most, struct buf *out)
{
	struct rows rows = { 0 };
	struct pairs p = { 0 };

	qsort(c->type, c->types, sizeof *c->type, by_bytes);
	for (size_t i = 0; i < c->types && i < most; i++) {
		const struct census_type *t = &c->type[i];

		pairs_text(&p, "type", type_name(t->of));
		pairs_uint(&p, "actors", t->actors);
		pairs_uint(&p, "waiting", t->waiting);
		pairs_uint(&p, "memory_bytes", census_bytes(t));
		pairs_uint(&p, "state_bytes", t->state_bytes);
		pairs_uint(&p, "mailbox_bytes", t->mailbox_bytes);
		pairs_uint(&p, "allocated_bytes", core_allocated(t->of));
		rows_add(&rows, &p);
	}
	rows_close(&rows, out);
}
