/* SPDX-License-Identifier: MIT
 * counts.h - inspect, ps and top: answers for which all actors are passed, a slice at a time. The
 * actor `node`'s thread. */
#ifndef COUNTS_H
#define COUNTS_H

#include "glance.h"
#include "top.h"
#include "walk.h"

struct counts {
	const struct control_sources *sources;
	int64_t started_ms;
	bool ready;                     /* the node serves: set by whoever knows */
	struct top *top;
	struct walks walks;
};

void counts_init(struct counts *s, const struct control_sources *sources);      /* borrows */
void counts_fini(struct counts *s);

/* caller gets the answer. Each takes caller. */
void counts_inspect(struct counts *s, actor *self, msg_caller caller);
void counts_ps(struct counts *s, actor *self, msg_caller caller);
void counts_top(struct counts *s, actor *self, msg_caller caller, const struct top_query *q);

#endif
