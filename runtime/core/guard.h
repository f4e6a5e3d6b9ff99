/* SPDX-License-Identifier: MIT
 * guard.h - the stack that a worker runs compiled code on, and faults in it. */
#ifndef GUARD_H
#define GUARD_H

#include <pthread.h>

#include "core.h"
#include "draft.h"
#include "table.h"

enum fault {
	FAULT_NONE,
	FAULT_POINTER,
	FAULT_JUMP,
	FAULT_DIVISION,
	FAULT_STACK,
	FAULT_INSTRUCTION,
	FAULT_BUS,
	FAULT_TIME, /* doors.S knows this number */
};
enum { FRAMES_MAX = 8, GUARD_STACK = 1 << 20, GUARD_DOOR = 32 };

/* It looks at what the sanitizers do not know. */
#ifdef __clang__
#define UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* doors.S knows the places of the first ones. */
struct guard {
	void *saved;                    /* the worker's stack, while compiled code runs */
	/* its own: from top down to low; with less than least left nobody calls us */
	char *top, *least, *low;
	/* where a function of the runtime that is under way returns to; NULL: none is */
	_Atomic(void *) door;
	_Atomic uint64_t seq;           /* odd: inside */
	_Atomic int fault;              /* enum fault, of the call that has just ended */
	/* The rest is C's. */
	const struct code *code;
	uint32_t version;
	uint64_t noted;                 /* the call that the frames are of: a value of seq */
	int frames;
	const void *frame[FRAMES_MAX];  /* of compiled code, the innermost first */
	uintptr_t address;              /* of the fault */
	_Atomic uint64_t end;           /* the call that is to be ended: a value of seq */
	uint64_t seen;                  /* the watch's: the call it saw last, and since when */
	int64_t since_ns;
	pthread_t thread;
	char *map;
	struct draft *draft;            /* see draft.h */
};
_Static_assert(offsetof(struct guard, door) == 32 && offsetof(struct guard, fault) == 48,
	       "doors.S");

/* Of the calling thread, made when first needed; NULL: there is no memory for one, or compiled code
 * is under way already: do without. */
struct guard *guard_get(struct worker *w);
/* Takes the signals of faults; by itself with the first guard, again after somebody else took them.
 */
void guard_signals(void);
void guard_leave(struct worker *w);      /* its own thread, which is no worker of the pool, ends */
void guard_stay(bool on);                /* so long no guard_leave() returns */
void guard_free(struct guard *g);       /* its thread has ended; NULL is fine */
int  guard_switch(void *fn, actor *self, const msg *m, struct guard *g);
/* The watch, once a tick: ends a call that lasts longer than ms. */
void guard_look(struct guard *g, int64_t now_ns, uint32_t ms);
/* After a fault: its words, and the stack as it was before. */
void guard_explain(struct guard *g, uint32_t budget_ms, struct buf *out);
/* A door for each of n functions, one every GUARD_DOOR bytes, for ever. NULL: there is no memory
 * that can be executed. */
char *guard_doors(const struct export *e, size_t n);

/* Of functions that read or write what compiled code lends, before anything is locked, and touch
 * nothing else that may fault: a fault there is compiled code's, with a door open too. */
#define LENT __attribute__((section("guard_lent"))) UNCHECKED
void guard_probe(const char *text);     /* reads it to its end */
void guard_touch(const void *at);       /* reads a byte */

static inline int guard_run(struct guard *g, void *fn, actor *self, const msg *m)
{
	int rc;

	STORE(&g->seq, LOAD(&g->seq) + 1);
	atomic_signal_fence(memory_order_seq_cst);
	rc = guard_switch(fn, self, m, g);
	atomic_signal_fence(memory_order_seq_cst);
	STORE(&g->seq, LOAD(&g->seq) + 1);
	return rc;
}

#endif
