/* SPDX-License-Identifier: MIT
 * dead.c - the last dead letters, as values. Any thread. */
#include "dead.h"

#include "rows.h"

enum { SHOWN = 20 };

struct letters { uint64_t from; struct rows rows; };

static void count(void *arg, const struct dead_letter *d)
{
	struct letters *l = arg;

	l->from = d->number > SHOWN ? d->number - SHOWN : 0;
}

static void row(void *arg, const struct dead_letter *d)
{
	struct letters *l = arg;
	struct pairs p = { 0 };

	if (d->number <= l->from)
		return;
	pairs_uint(&p, "number", d->number);
	pairs_int(&p, "wall_ms", d->wall_ms);
	pairs_text(&p, "actor", d->actor);
	pairs_text(&p, "handler", d->handler);
	pairs_text(&p, "reason", d->reason);
	pairs_list(&p, "args", d->args, (int)d->count);
	pairs_uint(&p, "bytes", d->bytes);
	rows_add(&l->rows, &p);
}

void dead_letters(struct buf *out)
{
	struct letters l = { 0 };

	core_dead_letters(count, &l);
	core_dead_letters(row, &l);
	rows_close(&l.rows, out);
}
