/* SPDX-License-Identifier: MIT
 * ask.h - what an actor waits for: answers, callers it keeps waiting, its timers.
 *
 * One table an actor, touched by its owner alone: there is no lock, an answer that comes after its
 * deadline finds nothing and is counted, and when the actor ends all of it ends with it. All its
 * questions share one entry in the wheels, which is there for the first that is due and stays when
 * that is answered: so asking and answering take no lock, and once in a while it finds nothing. The
 * numbers that leave the actor (of a question, a timer, a kept caller) have a serial and a place,
 * so a stale one finds nothing; a question's has its deadline too, see deadline.h. */
#ifndef ASK_H
#define ASK_H

#include "deadline.h"
#include "lease.h"
#include "send.h"

/* answers and timers come beyond the mailbox's limit: bounded here */
enum { ASKS_MAX = 16384, WAITS_MAX = 65535 };

enum wait_kind { WAIT_FREE, WAIT_ASK, WAIT_TIMER, WAIT_CALLER };

struct wait {
	union {
		struct timer_entry *timer;      /* TIMER: in the wheel; NULL: none */
		/* ASK; INT64_MAX: never, or it has come and FN_LATE is on its way */
		int64_t due_ms;
	};
	int64_t number;
	enum wait_kind kind;
	int ms;                         /* ASK: how long it may take */
	uint8_t origin;                 /* CALLER */
	union {
		uint32_t next_free;     /* FREE */
		uint32_t fn;            /* ASK: where `then` was in the table when it asked */
	};
	union {
		const char *then;       /* ASK: the handler for the answer, interned */
		struct plan *plan;      /* TIMER: when it comes again; NULL: once only */
	};
	/* TIMER: what comes when it is due; NULL: it is being handled */
	struct msg *msg;
	uint64_t from, corr;            /* CALLER; of ASK, from is who was asked */
};

struct pending {
	struct wait *wait;              /* places 1 to size - 1 */
	uint32_t size, free, serial;
	uint32_t asks;                  /* WAIT_ASK and WAIT_TIMER */
	/* For all questions: in the wheel for late_ms, which is not after the first that is due;
	 * INT64_MAX: it is not. NULL: it was never needed. */
	struct timer_entry *late;
	int64_t late_ms;
	const char *mode;               /* interned; NULL: as at first. See mode.h */
	/* messages kept for later, oldest first */
	uint32_t stash_first, stash_last, stash_n, stash_units;
};
struct pending *ask_pending(actor *self);       /* made, if there was none */

int64_t ask_send(struct worker *w, actor *self, struct letter *l, struct packed in, unsigned count,
                 const char *then, int ms, struct why *why);
/* x, a question of self's, is to be answered by then. */
void ask_due(actor *self, struct wait *x, int64_t due_ms);
/* FN_LATE has come. The number of a question that has waited long enough; 0: none has. */
uint64_t ask_late(struct worker *w, actor *self, uint64_t number);
int64_t ask_left(const struct wait *x);         /* ms; 0: it never ends, or has ended */
int     ask_then(const struct wait *x, const struct table *tab);        /* its place, or -1 */
/* NULL: not (any more) */
struct wait *ask_find(actor *self, int64_t number, enum wait_kind kind);
void ask_done(actor *self, struct wait *x);
/* Answers m's caller, if one waits. */
void ask_reply(const msg *m, const struct arg *args, unsigned n);
/* All that self waited for is given up: callers that it kept are told. */
void ask_bury(struct worker *w, actor *self, const char *reason);
/* due: of deadline_bits(). NULL: the limit is reached. */
struct wait *wait_new(actor *self, enum wait_kind kind, uint64_t due);

#endif
