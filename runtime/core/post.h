/* SPDX-License-Identifier: MIT
 * post.h - what goes into a mailbox whatever its limits: answers and timers (their room was
 * promised when the question was asked), the core's own messages, what a handler gathered for one
 * target; and dead letters. */
#ifndef POST_H
#define POST_H

#include "table.h"

/* The scheduler's: a has just got something to do and is in no queue. w: the calling thread's
 * worker. */
extern void (*post_ready)(struct worker *w, struct actor *a);
/* hold.c's: a is held, and has just got an order. */
extern void (*post_held)(struct worker *w, struct actor *a);

/* w's thread had let go of a, and has made it its own again by a step that anybody could win.
 * Meanwhile others may have run it to its end, and its cell may be somebody's who lives elsewhere:
 * false then, and a is made ready there. */
bool post_stays(struct worker *w, struct actor *a);

/* After cell_push(), where that took it. 0. */
INLINE int post_pushed(struct worker *w, struct actor *a, enum push said)
{
	if (said == PUSH_READY)
		post_ready(w, a);
	COUNT_UP(&w->sent, 1);
	return 0;
}

/* Pushes, makes ready, frees m where it cannot be taken. 0, or ACTOR_ENOENT: the actor has ended.
 * Where more waits than any type's limits allow, m overtakes. */
int post_beyond(struct worker *w, struct actor *a, struct msg *m);
/* The same for one that must not overtake; ACTOR_EFULL: MARKS of them wait there. */
int post_mark(struct worker *w, struct actor *a, struct msg *m);
/* A message of the core's own, by the ordinary lane. FN_STOP is a mark; without room it is left
 * out. */
void post_special(struct worker *w, uint64_t id, uint16_t fn, uint64_t corr);
/* The answer to question corr of actor `to`. code 0: the values; else they are left out, and text
 * says why. */
void post_answer(struct worker *w, uint64_t to, uint64_t corr, const struct arg *args, unsigned n,
		 int code, const char *text);
/* The gathered messages of the handler that has just ended, or is about to send to somebody else.
 */
void post_box(struct worker *w);
/* m joins those that gather for a, or begins them: what gathers for others has been posted. */
static inline void post_join(struct worker *w, struct actor *a, struct msg *m)
{
	if (!w->box.top) {
		w->box_to = a;
		w->box.last = msg_index(m);
		w->box.weight = 0;
	}
	m->next = w->box.top;
	w->box.top = msg_index(m);
	w->box.weight += HEAD_WEIGHT(msg_units(m));
	COUNT_UP(&w->sent, 1);
	if (unlikely(HEAD_COUNT(w->box.weight) >= BOX_MAX ||
		     HEAD_UNITS(w->box.weight) >= BOX_UNITS))
		post_box(w);
}
/* An order: a message of the core's own by the control lane, which overtakes and knows no limits.
 */
struct order { uint16_t fn; uint64_t from, corr; const char *text; };
/* To this incarnation. False: it has ended. */
bool post_order(struct worker *w, uint64_t id, const struct order *o);
/* To whichever incarnation is there of the actor that was born so. */
void post_order_born(struct worker *w, uint32_t cell, uint64_t born, const struct order *o);
/* Child to parent: my cell is yours now. False: the parent has ended, the cell is the caller's. */
bool post_ended(struct worker *w, uint64_t parent, uint32_t cell);
const char *order_text(const struct msg *m);
/* The monitor `number` of actor `to` is told. */
void post_down(struct worker *w, uint64_t to, uint64_t number, const char *name,
	       const char *reason);
/* m, which is about to be handled, is one like others from here on. False: its lease has lapsed,
 * and whoever follows it is told. */
bool post_under_lease(struct worker *w, struct msg *m);
/* m does not reach a: it goes to the dead letters, and who waits for an answer is told. m stays the
 * caller's. */
void post_dead(struct worker *w, const struct actor *a, struct msg *m, const char *reason);
/* The same for a chain, which is freed. */
void post_dead_chain(struct worker *w, const struct actor *a, uint32_t top, uint32_t last,
		     const char *reason);

#endif
