/* SPDX-License-Identifier: MIT
 * top.h - what is busy: handlers by what they did since a moment before, and the fullest mailboxes.
 */
#ifndef TOP_H
#define TOP_H

#include "census.h"

struct top;
struct top *top_new(void);
void top_free(struct top *t);

struct top_query {
	/* the number that an answer before gave; 0, or gone: since the start */
	int64_t since;
	const char *sort;       /* rate, cpu, mean, p99, failures, waiting, memory */
	const char *filter;     /* part of TYPE.HANDLER; "": all */
	int64_t rows;           /* at most, of each table */
};
int top_check(const struct top_query *q, struct why *why);      /* 0, or ACTOR_EARGS with why */
/* Appends one map. census: of now, with q's filter and rows. On one thread. */
void top_answer(struct top *t, const struct top_query *q, struct census *census, struct buf *out);

#endif
