/* SPDX-License-Identifier: MIT
 * ring.h - what each thread notes of traces: the side of those that write. Whoever looks uses
 * core.h's core_trace_reader(). */
#ifndef RING_H
#define RING_H

#include "table.h"

/* Of a message that is traced. sent: in units of 16 cycles, and what is left of them: who waited
 * for longer than some hours seems to have waited for less. 0: it was not. */
enum { SENT_SHIFT = 4, SENT_BITS = 41 };
#define SENT_MASK ((1ull << SENT_BITS) - 1)
struct mark { uint64_t trace, step, sent : SENT_BITS, depth : 7, fn : 16; };

/* A step, or a message, as it is noted: nothing is packed, and where actor is NULL no name has been
 * looked up either. Times are the cycle counter's. All are words, as they are copied by words: one
 * that was written in parts would be waited for. */
struct note {
	uint64_t trace, step;
	uint64_t at;                    /* sent, begun, lost */
	union { uint64_t parent, wait; };       /* SENT: the step it was sent in; HANDLED */
	union { uint64_t type, took; };         /* SENT: the receiver's; HANDLED */
	union { uint64_t fn; int64_t rc; };     /* SENT; HANDLED, LOST */
	const char *actor, *handler, *from;     /* interned */
	uint64_t whom;                  /* id */
	uint64_t what;                  /* see note_what() */
};

/* flags: the message's; first: of its values that count. Above that, how many words of it stand
 * behind the note. */
enum { WHAT_FLAGS = 8, WHAT_FIRST = 16, WHAT_WORDS = 24 };
static inline uint64_t note_what(enum trace_kind kind, uint8_t flags, unsigned first)
{
	return (uint64_t)kind | (uint64_t)flags << WHAT_FLAGS | (uint64_t)first << WHAT_FIRST;
}

struct span {
	struct note step;               /* what will be noted when it ends */
	struct mark mark;               /* of the message that arrives; trace 0: none does */
	const struct msg *begins;       /* the message that the trace begins with; else NULL */
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
};

struct ring_own *ring_of(struct worker *w);     /* made when it is first asked for */
/* m: the message it is about, NULL: none. It is copied as it is, but for a large one. */
void ring_write(struct worker *w, const struct note *n, const struct msg *m);

#endif
