/* SPDX-License-Identifier: MIT
 * supervise.c - how actors end, and who of them begins again.
 *
 * Every actor is a supervisor: of the children it spawned. Those without a parent are the
 * node's. An actor that is told to stop, stops itself or fails goes through these steps, each a
 * phase in `stopping`:
 *
 *   cause         what it waited for is given up, callers that it kept are told;
 *   END_CHILDREN  its children are told to end, the youngest first, one after the other;
 *   (over)        its `stop` is called; links and monitors are told;
 *   END_OVER      where it may begin again it says so to its parent, and waits for FN_RESTART
 *                 or FN_STOP; else it is buried, and the parent told that it has ended.
 *
 * While it waits it is parked: in no queue, its mailbox keeping what comes; an order (by the
 * control lane) makes it ready. FN_RESTART gives it the next generation in the same cell: same
 * name, same mailbox, a zeroed state; then `start`, the message `init`, and what was waiting.
 * The message that it failed at is in the dead letters.
 *
 * Invariants
 *   1. A kin record is touched by its actor's owner alone; all that crosses actors is an order.
 *      So no locks, and no order of locks.
 *   2. A parent's view of a child (actor.bond) changes by the child's orders and its own; a
 *      child that is DOWN is parked, until the parent sends FN_RESTART or FN_STOP.
 *   3. FN_ENDED is a child's last order, and brings its cell. The parent parts from it then, or
 *      earlier, having waited in vain; then it passes over what still comes of it.
 *   4. Of a strategy's group nobody starts before all that are to end have ended, and they
 *      start one after the other, the oldest first.
 *   5. Orders of a parent to a child name its birth, not its generation: they reach it whatever
 *      it has been through.
 * Threads: any that runs actors; the node's own intensity has a lock, which is a leaf. */
#include "supervise.h"

#include <pthread.h>
#include <stdio.h>

#include "hold.h"
#include "log.h"
#include "ports.h"

enum {
	END_MS = 5000,
	DELAY_FIRST_MS = 10,
	DELAY_MOST_MS = 1000,
	NODE_RESTARTS = 10,
	NODE_SECONDS = 10
};

static _Atomic bool closing;

static struct {
	pthread_mutex_t lock;
	int64_t times[NODE_RESTARTS];
	void (*give_up)(void *arg, const char *reason);
	void *arg;
} node = { .lock = PTHREAD_MUTEX_INITIALIZER };

void core_on_give_up(void (*give_up)(void *, const char *), void *arg)
{
	node.give_up = give_up;
	node.arg = arg;
}

void supervise_open(void)
{
	memset(node.times, 0, sizeof node.times);
	STORE(&closing, false);
}

void supervise_close(void)
{
	STORE(&closing, true);
}

static uint8_t cause_of(const struct actor *a)
{
	return LOAD(&a->stopping) & END_CAUSE;
}

static bool begins_again(const struct actor *a, uint8_t cause)
{
	const struct type *type = cell_type(a);

	if (type->native || type->restart == RESTART_TEMPORARY || LOAD(&closing))
		return false;
	return cause == END_FAILED || cause == END_CYCLED ||
	       (cause == END_ITSELF && type->restart == RESTART_PERMANENT);
}

/* --- intensity ---------- */

/* Notes a restart in a ring of the last `max`. False: there were as many within so many seconds
 * already. */
static bool note(int64_t *times, uint32_t max, uint32_t seconds, uint32_t *delay_ms)
{
	int64_t now = now_ms(), since = now - (int64_t)seconds * 1000;
	uint32_t oldest = 0, recent = 0;

	for (uint32_t i = 0; i < max; i++) {
		recent += times[i] && times[i] > since;
		if (times[i] < times[oldest])
			oldest = i;
	}
	*delay_ms = !recent ? 0 : recent > 7 ? DELAY_MOST_MS : DELAY_FIRST_MS << (recent - 1);
	if (recent >= max)
		return false;
	times[oldest] = now ? now : 1;
	return true;
}

static bool may_restart(struct actor *parent)
{
	const struct type *type = cell_type(parent);
	struct kin *k = kin_of(parent);

	if (!k->times)
		k->times = mem_alloc(type->restarts * sizeof *k->times);
	return note(k->times, type->restarts, type->seconds, &k->delay_ms);
}

/* --- the node's own ---------- */

static void rebirth(struct worker *w, struct actor *a);

/* False: that was one too many, the node ends. */
static bool node_restarts(struct worker *w, struct actor *a)
{
	uint32_t delay_ms;
	struct why why;
	bool may;

	pthread_mutex_lock(&node.lock);
	may = note(node.times, NODE_RESTARTS, NODE_SECONDS, &delay_ms);
	pthread_mutex_unlock(&node.lock);
	if (may) {
		if (delay_ms)
			deadline_order(a, FN_RESTART, delay_ms);
		else
			rebirth(w, a);
		return true;
	}
	why_set(&why, 0,
	        "actors of the node were restarted %d times in %d s, that is too often; the last "
	        "is %s: %s",
	        NODE_RESTARTS, NODE_SECONDS, life_title(a), kin_reason(a));
	log_line(LOG_ERROR, "actor", "%s", why.text);
	if (node.give_up)
		node.give_up(node.arg, why.text);
	return false;
}

/* --- a parent ---------- */

static void tell_child(struct worker *w, const struct actor *c, uint16_t fn, uint64_t corr)
{
	post_order_born(w, cell_index(c), LOAD(&c->born), &(struct order){ fn, 0, corr, "" });
}

static uint32_t time_left(int64_t until_ms)
{
	int64_t left = until_ms ? until_ms - now_ms() : 0;

	return left > 0 ? (uint32_t)left : 0;
}

static void be_patient(struct actor *p, uint32_t ms)
{
	struct kin *k = p->kin;

	k->until_ms = now_ms() + ms;
	if (k->timed)
		return;
	k->timed = true;
	deadline_order(p, FN_PATIENCE, ms);
}

static void start_again(struct worker *w, struct actor *c, uint32_t delay_ms)
{
	c->bond = BOND_COMING;
	tell_child(w, c, FN_RESTART, delay_ms);
}

/* One step of a group's ending and starting: invariant 4. */
static void step(struct worker *w, struct actor *p)
{
	struct kin *k = p->kin;

	for (struct actor *c = kin_child(k->youngest); c; c = kin_child(c->elder)) {
		if (c->cycles && c->bond == BOND_UP) {
			c->bond = BOND_GOING;
			tell_child(w, c, FN_CYCLE, 0);
			be_patient(p, END_MS);
		}
		if (c->cycles && c->bond != BOND_DOWN)
			return;
		c->cycles = false;
	}
	for (struct actor *c = kin_child(k->oldest); c; c = kin_child(c->younger)) {
		if (c->bond == BOND_DOWN) {
			start_again(w, c, k->delay_ms);
			k->delay_ms = 0;
		}
		if (c->bond == BOND_COMING)
			return;
	}
}

static void child_failed(struct worker *w, struct actor *p, struct actor *c, const char *reason)
{
	const struct type *type = cell_type(p);
	struct actor *x;

	c->bond = BOND_DOWN;
	c->cycles = false;
	if (LOAD(&p->stopping))
		return;
	if (!may_restart(p)) {
		kin_fail(p,
		         "its children were restarted %u times in %u s, that is too often; the "
		         "last is %s",
		         type->restarts, type->seconds, reason);
		return;
	}
	if (type->strategy == ONE_FOR_ONE) {
		start_again(w, c, p->kin->delay_ms);
		return;
	}
	x = kin_child(type->strategy == ONE_FOR_ALL ? p->kin->oldest : c->younger);
	for (; x; x = kin_child(x->younger))
		if (x != c && x->bond != BOND_DOWN)
			x->cycles = true;
	step(w, p);
}

static void child_order(struct worker *w, struct actor *p, const struct msg *m)
{
	struct actor *c = cell_at((uint32_t)m->corr);

	if (c->bond == BOND_PARTED) {
		if (m->fn == FN_ENDED)
			cell_free(&w->cells, c);
		return;
	}
	switch (m->fn) {
	case FN_FAILED:
		child_failed(w, p, c, order_text(m));
		return;
	case FN_CYCLED:
		c->bond = BOND_DOWN;
		break;
	case FN_UP:
		if (c->bond == BOND_COMING)
			c->bond = BOND_UP;
		break;
	case FN_ENDED:
		kin_part(p->kin, c);
		cell_free(&w->cells, c);
		break;
	}
	if (!LOAD(&p->stopping) && cell_type(p)->strategy != ONE_FOR_ONE)
		step(w, p);
}

/* Whoever was told to end, and has not in time, is no child any more. It ends when its handler
 * returns. */
static void impatient(struct worker *w, struct actor *p)
{
	struct kin *k = p->kin;
	int64_t left = k->until_ms - now_ms();

	k->timed = false;
	for (struct actor *c = kin_child(k->youngest), *next; c; c = next) {
		next = kin_child(c->elder);
		if (c->bond != BOND_TOLD && c->bond != BOND_GOING)
			continue;
		if (left > 0) {
			k->timed = true;
			deadline_order(p, FN_PATIENCE, (uint32_t)left);
			return;
		}
		log_line(LOG_ERROR, "actor", "%s: a child does not end: it is left behind",
		         life_title(p));
		if (c->bond == BOND_GOING)
			tell_child(w, c, FN_STOP, 0);
		kin_part(k, c);
	}
	if (!LOAD(&p->stopping))
		step(w, p);
}

/* Tells the youngest child to end. True: there is none (any more). */
static bool end_children(struct worker *w, struct actor *p)
{
	struct actor *c = kin_child(p->kin ? p->kin->youngest : 0);

	if (!c)
		return true;
	if (c->bond != BOND_TOLD) {
		c->bond = BOND_TOLD;
		tell_child(w, c, FN_STOP, (uint64_t)p->kin->drain_until_ms);
		be_patient(p, END_MS + time_left(p->kin->drain_until_ms));
	}
	return false;
}

/* --- the end of an incarnation ---------- */

bool supervise_again(const struct actor *a)
{
	return begins_again(a, cause_of(a));
}

void supervise_bury(struct worker *w, struct actor *a, uint32_t queue, uint32_t keep)
{
	tie_end(w, a, cause_of(a) == END_FAILED);
	while (a->kin && a->kin->oldest)
		kin_part(a->kin, cell_at(a->kin->oldest));
	life_bury(w, a, queue, keep);
}

static bool bury(struct worker *w, struct actor *a)
{
	uint32_t q = a->q;

	a->q = 0;
	supervise_bury(w, a, q, 0);
	return false;
}

/* No order has come: whoever brings one makes a ready. True: one has. Partner: lane() in post.c. */
static bool park(struct worker *w, struct actor *a)
{
	uint8_t one = 1;

	atomic_store(&a->parked, 1);
	return atomic_load(&a->control) &&
	       atomic_compare_exchange_strong(&a->parked, &one, 0) && post_stays(w, a);
}

static void give_up(struct worker *w, struct actor *a)
{
	struct why why;

	why_set(&why, 0, "%s has ended: %s", life_title(a), kin_reason(a));
	if (LOAD(&a->held_on))
		hold_give_up(w, a);
	ask_bury(w, a, why.text);
}

/* May it begin again? False: it may not, or nobody would say so. */
static bool ask_to_begin(struct worker *w, struct actor *a, uint8_t cause)
{
	struct why why;

	STORE(&a->stopping, cause | END_OVER);
	log_line(LOG_WARN, "actor", "%s ended (%s) and is to start again", life_title(a),
	         kin_reason(a));
	if (!LOAD(&a->parent))
		return node_restarts(w, a);
	why_set(&why, 0, "%s: %s", life_title(a), kin_reason(a));
	return post_order(w, LOAD(&a->parent),
	                  &(struct order){ cause == END_CYCLED ? FN_CYCLED : FN_FAILED, cell_id(a),
	                                   cell_index(a), why.text });
}

bool supervise_end(struct worker *w, struct actor *a)
{
	uint8_t s = LOAD(&a->stopping);

	if (supervise_plain(a))
		return bury(w, a);
	if (!(s & (END_CHILDREN | END_OVER))) {
		give_up(w, a);
		s |= END_CHILDREN;
		STORE(&a->stopping, s);
	}
	if (s & END_CHILDREN) {
		if (!end_children(w, a))
			return park(w, a);
		life_stop(w, a);
		tie_end(w, a, (s & END_CAUSE) == END_FAILED);
		if (!begins_again(a, s & END_CAUSE) || !ask_to_begin(w, a, s & END_CAUSE))
			return bury(w, a);
		if (!(LOAD(&a->stopping) & END_OVER))
			return true; /* it has begun again */
	} else if ((s & END_CAUSE) == END_TOLD) {
		return bury(w, a);
	}
	return park(w, a);
}

/* --- the next ---------- */

static void rebirth(struct worker *w, struct actor *a)
{
	struct kin *k = a->kin;
	struct msg *init;

	life_renew(a);
	if (k) {
		mem_free(k->times);
		k->times = NULL;
		k->timed = false;
		k->drain_until_ms = 0;
		*k->reason = 0;
	}
	STORE(&a->stopping, 0);
	w->origin = 0;
	life_start(w, a);
	if (LOAD(&a->stopping)) { /* its start failed: that is one more failure */
		STORE(&a->stopping, END_FAILED);
		return;
	}
	init = life_init(w, a);
	if (init) {                             /* before all that waits */
		COUNT_UP(&w->sent, 1);
		cell_overtake(a, init);
	}
	if (LOAD(&a->parent))
		post_order(w, LOAD(&a->parent),
		           &(struct order){ FN_UP, cell_id(a), cell_index(a), "" });
}

static void on_restart(struct worker *w, struct actor *a, uint32_t delay_ms)
{
	uint8_t s = LOAD(&a->stopping);

	if (!(s & END_OVER) || (s & END_CAUSE) == END_TOLD)
		return;
	if (LOAD(&closing))
		STORE(&a->stopping, END_OVER | END_TOLD);
	else if (delay_ms)
		deadline_order(a, FN_RESTART, delay_ms);
	else
		rebirth(w, a);
}

/* Until then what waits may be handled first, up to a mark behind it. */
static void on_stop(struct worker *w, struct actor *a, int64_t until_ms)
{
	uint8_t s = LOAD(&a->stopping);
	uint32_t left = time_left(until_ms);

	if (left && !s) {
		if (!kin_of(a)->drain_until_ms)
			post_special(w, cell_id(a), FN_STOP, 0);
		a->kin->drain_until_ms = until_ms;
		deadline_order(a, FN_STOP, left);
		return;
	}
	/* Its failure has been told of: who has asked since hears that it was stopped. */
	if (s & END_OVER && a->kin)
		*a->kin->reason = 0;
	STORE(&a->stopping, (s & ~END_CAUSE) | END_TOLD);
}

void supervise_order(struct worker *w, struct actor *a, const struct msg *m)
{
	switch (m->fn) {
	case FN_STOP:
		on_stop(w, a, (int64_t)m->corr);
		break;
	case FN_RESTART:
		on_restart(w, a, (uint32_t)m->corr);
		break;
	case FN_CYCLE:
		kin_end(a, END_CYCLED);
		break;
	case FN_PATIENCE:
		impatient(w, a);
		break;
	case FN_FAILED:
	case FN_CYCLED:
	case FN_UP:
	case FN_ENDED:
		child_order(w, a, m);
		break;
	default:
		tie_order(w, a, m);
	}
}

bool supervise_meant(const struct actor *a, const struct msg *m)
{
	uint32_t gen = LOAD(&a->gen), before;

	if (!m->gen)
		return msg_slots(m)[0] == LOAD(&a->born);
	/* Sent to an earlier generation of the same birth: what waited outlives a restart. */
	before = gen > m->gen ? gen - m->gen : gen + 0x7fffffff - m->gen;
	if (before > LOAD(&a->restarts))
		return false;
	return m->fn < FN_SPECIAL || m->fn == FN_TRACED || m->fn == FN_STOP || m->fn == FN_LOOK ||
	       (LOAD(&a->name) && (m->fn == FN_MONITOR || m->fn == FN_DEMONITOR));
}
