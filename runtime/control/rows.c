/* SPDX-License-Identifier: MIT
 * rows.c - see rows.h. */
#include "rows.h"

#include <math.h>

struct buf *pairs_key(struct pairs *p, const char *name)
{
	p->n++;
	pack_text(&p->b, name);
	return &p->b;
}

void pairs_int(struct pairs *p, const char *name, int64_t v) { pack_int(pairs_key(p, name), v); }
void pairs_uint(struct pairs *p, const char *name, uint64_t v) { pack_uint(pairs_key(p, name), v); }
void pairs_bool(struct pairs *p, const char *name, bool v) { pack_bool(pairs_key(p, name), v); }

void pairs_num(struct pairs *p, const char *name, double v)
{
	pack_num(pairs_key(p, name), round(v * 100) / 100);
}

void pairs_text(struct pairs *p, const char *name, const char *v)
{
	pack_text(pairs_key(p, name), v);
}

void pairs_list(struct pairs *p, const char *name, struct packed values, int n)
{
	struct buf *b = pairs_key(p, name);

	if (n < 0) {
		pack_null(b);
		return;
	}
	pack_list(b, (uint32_t)n);
	buf_add(b, values.at, (size_t)(values.end - values.at));
}

void pairs_close(struct pairs *p, struct buf *out)
{
	pack_map(out, p->n);
	buf_add(out, p->b.p, p->b.len);
	buf_fini(&p->b);
	p->n = 0;
}

void rows_add(struct rows *r, struct pairs *row)
{
	pairs_close(row, &r->b);
	r->n++;
}

void rows_close(struct rows *r, struct buf *out)
{
	pack_list(out, r->n);
	buf_add(out, r->b.p, r->b.len);
	buf_fini(&r->b);
	r->n = 0;
}
