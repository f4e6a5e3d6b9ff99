/* SPDX-License-Identifier: MIT
 * recall.h - the last messages of actors whose type has failed a short time ago, for reports of
 * crashes. Any thread that runs actors. */
#ifndef RECALL_H
#define RECALL_H

#include "table.h"

/* Its type has failed: for ten minutes from now on its messages are noted. */
void recall_begin(struct type *t);
/* m is about to be handled; where its entry says ENTRY_RECALLED. */
COLD void recall_note(const struct actor *a, const struct msg *m, const struct entry *e);

enum { RECALLED_MOST = 8, RECALLED_BYTES = 256 };
struct recalled {
	uint64_t cell, from;
	int64_t at_ms;                  /* of now_ms() */
	const char *handler;            /* interned */
	const struct msg *was;          /* where it was: it may be another by now */
	_Alignas(struct msg) unsigned char m[RECALLED_BYTES];   /* it, or its header where larger */
};
/* What a has handled before m, the oldest first; how many. */
unsigned recall_before(const struct actor *a, const struct msg *m,
		       struct recalled out[RECALLED_MOST]);
/* Appends its values; how many, 0 where they are too large to be kept. */
unsigned recall_args(const struct recalled *r, struct buf *out);

#endif
