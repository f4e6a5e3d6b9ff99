/* SPDX-License-Identifier: MIT
 * rows.h - answers for people and scripts: maps that grow pair by pair, lists that grow row by row.
 */
#ifndef ROWS_H
#define ROWS_H

#include "value.h"

struct pairs { struct buf b; unsigned n; };

struct buf *pairs_key(struct pairs *p, const char *name);       /* for one packed value */
void pairs_int(struct pairs *p, const char *name, int64_t v);
void pairs_uint(struct pairs *p, const char *name, uint64_t v);
void pairs_num(struct pairs *p, const char *name, double v);    /* with at most two decimals */
void pairs_bool(struct pairs *p, const char *name, bool v);
void pairs_text(struct pairs *p, const char *name, const char *v);
/* n values as a list; n below 0: null. */
void pairs_list(struct pairs *p, const char *name, struct packed values, int n);
void pairs_close(struct pairs *p, struct buf *out);             /* appends the map, empties p */

struct rows { struct buf b; unsigned n, more; };

void rows_add(struct rows *r, struct pairs *row);               /* empties row */
void rows_close(struct rows *r, struct buf *out);

#endif
