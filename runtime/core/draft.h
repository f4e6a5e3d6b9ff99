/* SPDX-License-Identifier: MIT
 * draft.h - what a handler on probation does to others: kept back until it has returned, or undone.
 *
 * While a draft is open, whatever the handler pushes (messages, answers, orders, births) is an item
 * of it instead, in its order, and what it notes of itself (a question, a timer, a kept caller) has
 * an item that undoes it. Then either all of it leaves, the oldest first, or all is undone, the
 * newest first, the state too. Nothing of it costs a handler that is on no probation anything: the
 * word that says a draft is open is the one that says that messages have gathered.
 *
 * Threads: a draft is its worker's own. */
#ifndef DRAFT_H
#define DRAFT_H

#include "worker.h"

/* In w->box.top, where no message has this index. Items and units (of 64 bytes) of one draft. */
enum { DRAFT_OPEN = 1, DRAFT_ITEMS = 16384, DRAFT_UNITS = (16 << 20) / 64 };

struct draft_item;
typedef void draft_fn(struct worker *w, struct actor *self, struct draft_item *i);
struct draft_item {
	draft_fn *leave, *undo;         /* NULL: nothing is to be done */
	struct actor *to; struct msg *m;        /* a message: undone by being freed */
	uint64_t weight;                /* of all drafts to this actor so far */
	int64_t number;
	const char *text[2];            /* interned */
	uint32_t chain[4];
	void *kept;                     /* freed with the item */
};

struct draft;

static inline bool draft_is_open(const struct worker *w)
{
	return w->box.top == DRAFT_OPEN;
}
/* Opens *d (made when NULL) for a handler whose actor has a state of that size; keep: with room for
 * a copy of it. */
void draft_begin(struct worker *w, struct draft **d, size_t size, bool keep);
/* The handler is about to get its state: it is copied, if it was not yet. Locks nothing. */
void draft_state(const void *state);
/* It did get it, and there is no copy. */
bool draft_is_lossy(void);
/* Another item, zeroed, to be filled in at once: the next one may move it. */
struct draft_item *draft_add(draft_fn *leave, draft_fn *undo);
void draft_message(draft_fn *leave, struct actor *to, struct msg *m);
/* Too much has gathered already: no send, no spawn any more. */
bool draft_full(void);
uint64_t draft_weight(const struct actor *to);  /* as in a mailbox's head */
/* Is there an item that will do that to that number? */
bool draft_has(draft_fn *leave, int64_t number);
void draft_leave(struct worker *w, struct actor *self);
void draft_undo(struct worker *w, struct actor *self, void *state);
void draft_free(struct draft *d);       /* NULL is fine */

#endif
