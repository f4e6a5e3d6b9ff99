/* SPDX-License-Identifier: MIT
 * dead.c - the last dead letters, as values. Any thread. */
#include "dead.h"

enum { SHOWN = 20 };

struct letters { uint64_t from; struct buf rows; unsigned n; };

static void count(void *arg, const struct dead_letter *d)
{
	struct letters *l = arg;

	l->from = d->number > SHOWN ? d->number - SHOWN : 0;
}

static void row(void *arg, const struct dead_letter *d)
{
	struct letters *l = arg;

	if (d->number <= l->from)
		return;
	l->n++;
	pack_map(&l->rows, 7);
	pack_text(&l->rows, "number");
	pack_uint(&l->rows, d->number);
	pack_text(&l->rows, "wall_ms");
	pack_int(&l->rows, d->wall_ms);
	pack_text(&l->rows, "actor");
	pack_text(&l->rows, d->actor);
	pack_text(&l->rows, "handler");
	pack_text(&l->rows, d->handler);
	pack_text(&l->rows, "reason");
	pack_text(&l->rows, d->reason);
	pack_text(&l->rows, "args");
	pack_list(&l->rows, d->count);
	buf_add(&l->rows, d->args.at, (size_t)(d->args.end - d->args.at));
	pack_text(&l->rows, "bytes");
	pack_uint(&l->rows, d->bytes);
}

void dead_letters(struct buf *out)
{
	struct letters l = { 0 };

	core_dead_letters(count, &l);
	core_dead_letters(row, &l);
	pack_list(out, l.n);
	buf_add(out, l.rows.p, l.rows.len);
	buf_fini(&l.rows);
}
