/* SPDX-License-Identifier: MIT
 * top.h - what is busy: handlers by what they did since a moment before, and the fullest mailboxes.
 */
#ifndef TOP_H
#define TOP_H

#include "core.h"

struct top;
struct top *top_new(void);
void top_free(struct top *t);

struct top_query {
	/* the number that an answer before gave; 0, or gone: since the start */
	int64_t since;
	const char *sort;       /* rate, cpu, mean, p99, failures, waiting */
	const char *filter;     /* part of TYPE.HANDLER; "": all */
	int64_t rows;           /* at most, of each table */
};
/* Appends one map. 0, or ACTOR_EARGS with why. On one thread; the actors are left alone. */
int top_answer(struct top *t, const struct top_query *q, struct buf *out, struct why *why);

#endif
