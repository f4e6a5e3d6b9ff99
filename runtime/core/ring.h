/* SPDX-License-Identifier: MIT
 * ring.h - what each thread notes of traces: the side of those that write. Whoever looks uses
 * core.h's core_trace_reader(). */
#ifndef RING_H
#define RING_H

#include "table.h"

enum { ARGS_BYTES = 160 };

/* Ids of a message that is traced, and when it was sent. */
struct mark { uint64_t trace, step, sent; uint16_t fn; uint8_t depth; };

struct kept {
	uint64_t trace, step, parent, at, wait, took;
	const char *actor, *handler, *from;     /* interned */
	enum trace_kind kind;
	uint8_t origin, flags;
	int rc;
	uint32_t cell, count, len;              /* values, their bytes here */
	uint8_t args[ARGS_BYTES];
};

struct span {
	struct kept step;               /* what will be written when it ends */
	struct mark mark;               /* of the message that arrives; trace 0: none does */
	uint32_t sample_left;           /* as it was before */
	uint64_t last;                  /* the step sent last */
	uint64_t next;                  /* the step that what is sent next is, if known already */
	uint8_t depth;                  /* of this step: two that talk for ever end some day */
};

/* What its thread alone may touch. */
struct ring_own {
	struct span span;               /* of the handler under way */
	struct span entered, *before;   /* of what came from outside, and what it lies over */
	uint64_t steps;
	int64_t credit[TRACES_MAX];
	const void *credit_of[TRACES_MAX];
	struct buf scratch;
};

struct ring_own *ring_of(struct worker *w);     /* made when it is first asked for */
void ring_write(struct worker *w, const struct kept *k);

#endif
