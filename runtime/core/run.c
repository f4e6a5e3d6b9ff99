/* SPDX-License-Identifier: MIT
 * run.c - running actors.
 *
 * A turn takes all that hangs in the mailbox with one CAS, puts it in order and handles it message
 * by message, at most TURN_MESSAGES. The table is loaded for each message, so a patch comes into
 * force between two of them. What is handled leaves the mailbox's count when the next lot is taken,
 * or earlier when it has come to an eighth of what the mailbox holds. */
#include "run.h"

#include <x86intrin.h>

#include "alarm.h"
#include "contain.h"
#include "hold.h"
#include "letters.h"
#include "log.h"
#include "look.h"
#include "migrate.h"
#include "mode.h"
#include "crash.h"
#include "ports.h"
#include "supervise.h"
#include "times.h"
#include "vars.h"
#include "trace.h"

enum { TURN_MESSAGES = 1024 };

/* --- failures ----------------------------------------------------------------------------- */

static void log_failure(struct actor *a, const char *what, int rc, const char *text,
			uint64_t crash)
{
	struct why why;

	why_set(&why, 0, "%s.%s failed: %s%s%s", life_title(a), what, error_name(rc),
		*text ? ": " : "", text);
	crash_log(why.text, crash);
}

/* asked: somebody waited for an answer when the handler began. refused: it said so by msg_fail(),
 * which is business; else, where nobody waits for an answer, the actor has failed. */
static COLD void failed(struct worker *w, struct actor *a, struct msg *m, const struct entry *e,
			int rc, bool asked, bool refused)
{
	const char *reason = refused && *w->failure ? w->failure : error_name(rc);
	uint64_t crash = 0;
	struct why why;

	COUNT_UP(&w->failed, 1);
	COUNT_UP(&worker_count_of(w, e->count)->failures, 1);
	if (m->corr && !(m->flags & MSG_ANSWER)) {
		post_answer(w, m->from, m->corr, NULL, 0, rc, reason);
		m->corr = 0;
	} else if (!asked) {
		COUNT_UP(&w->dead, 1);
		COUNT_UP(&w->spoilt, 1);
		why_set(&why, 0, "%s %s: %s", e->name, refused ? "refused" : "failed", reason);
		letters_add_to(a, e->name, m, why.text);
		if (!refused)
			crash = crash_note(a, m, &(struct crash_about){
				.handler = e->name, .reason = why.text, .patch = e->version,
				.ends = true });
		log_failure(a, e->name, rc, refused ? w->failure : "", crash);
		if (!refused)
			kin_fail(a, "%s", why.text);
	}
	*w->failure = 0;
}

/* --- one message -------------------------------------------------------------------------- */

/* The handler's signature has come to differ from what m was checked against. */
static COLD bool check_again(struct worker *w, struct msg *m, const struct entry *e)
{
	struct arg args[VALUES_MAX];
	const struct signature *sig = signature_get(e->sig);
	struct why why;

	if (lease_is_on(m) && !post_under_lease(w, m))
		return false;
	for (unsigned i = 0; i < m->n; i++)
		arg_of_message(&args[i], m, i);
	if (args_fit(args, m->n, sig, e->name, e->args, &why) < 0) {
		if (m->corr && !(m->flags & MSG_ANSWER))
			post_answer(w, m->from, m->corr, NULL, 0, ACTOR_EARGS, why.text);
		m->corr = 0;
		COUNT_UP(&w->dead, 1);
		COUNT_UP(&w->spoilt, 1);
		return false;
	}
	return true;
}

/* A call that was timed, or traced, or both. */
static COLD void looked(struct worker *w, struct call_count *count, uint64_t began, int rc)
{
	if (w->span)
		trace_ran(w, rc);
	if (!w->sample_left)
		times_add(w, count, began);
}

/* After a handler that did not just take a message and send a few. */
static COLD void called(struct worker *w, struct actor *a, struct msg *m, const struct entry *e,
			int rc, bool asked, uint8_t left)
{
	if (w->box.top)
		post_box(w);
	if (rc < 0)
		failed(w, a, m, e, rc, asked, left & IN_REFUSAL || worker_passes_on(w, rc));
	else if (asked && m->corr)
		post_answer(w, m->from, m->corr, NULL, 0, 0, NULL);
	if (w->span)
		trace_end(w);
	if (w->outs)
		life_drop_outs(w);
}

INLINE void call(struct worker *w, struct actor *a, struct msg *m, const struct entry *e)
{
	struct call_count *count = worker_count_of(w, e->count);
	uint64_t began = 0, asked = m->corr;
	uint8_t left;
	int rc;

	if (unlikely(asked)) {
		if (unlikely(lease_is_on(m)) && !post_under_lease(w, m))
			return;
		asked = m->flags & MSG_ANSWER ? 0 : m->corr;
		if (asked && deadline_passed(asked)) {          /* nobody waits any more */
			COUNT_UP(&w->expired, 1);
			return;
		}
	}
	w->in_handler = IN_HANDLER;
	w->origin = m->flags >> MSG_ORIGIN_SHIFT;
	STORE(&w->handler, e->name);
	COUNT_UP(&count->calls, 1);
	if (unlikely((--w->sample_left == 0) | LOAD(&e->looked)))
		began = trace_begin(w, a, m, e);
	rc = unlikely(e->code) ? contain_handler(w, a, m, e) : e->fn(a, m);
	left = w->in_handler;
	w->in_handler = 0;
	w->last_to = NULL;
	if (unlikely(began))
		looked(w, count, began, rc);
	if (unlikely(asked || rc < 0 || left != IN_HANDLER || w->box.top || w->outs))
		called(w, a, m, e, rc, asked, left);
}

INLINE void ordinary(struct worker *w, struct actor *a, struct msg *m)
{
	struct table *tab = type_table(cell_type(a));       /* partner: switch.c */
	const struct entry *e = &tab->entry[m->fn];

	if (unlikely(LOAD(&a->started) & HAS_BECOME))
		e = mode_entry(a, tab, e);
	if (unlikely(e->sig != m->sig) && !check_again(w, m, e))
		return;
	call(w, a, m, e);
}

/* --- the core's own messages -------------------------------------------------------------- */

/* An answer with other words in it. Its values are not what the handler takes. */
static struct msg *as_error(struct worker *w, struct msg *m, int code, const char *text)
{
	struct arg error[2] = {
		{ .type = VALUE_INT, .bits = (uint64_t)(int64_t)code },
		{ .type = VALUE_STR, .p = text, .len = (uint32_t)strlen(text) },
	};
	struct msg *other = message_make(&w->pool, error, 2);

	other->flags |= MSG_ANSWER | MSG_ERR | (uint8_t)(m->flags & 3 << MSG_ORIGIN_SHIFT);
	other->from = m->from;
	other->corr = m->corr;
	return other;
}

/* The values of an answer, as the handler takes them, in their places. */
static int fit_answer(struct msg *m, const struct entry *e, struct why *why)
{
	struct arg args[VALUES_MAX];
	int rc;

	for (unsigned i = 0; i < m->n; i++)
		arg_of_message(&args[i], m, i);
	rc = args_fit(args, m->n, signature_get(e->sig), e->name, e->args, why);
	for (unsigned i = 0; i < m->n && !rc; i++)
		if (args[i].type < VALUE_STR || args[i].type == VALUE_UINT) {
			msg_slots(m)[i] = args[i].bits;
			message_set_tag(m, i, args[i].type);
		}
	return rc;
}

static COLD void answered(struct worker *w, struct actor *a, struct msg *m)
{
	struct wait *x = ask_find(a, (int64_t)m->corr, WAIT_ASK);
	struct table *tab = type_table(cell_type(a));
	const struct entry *e;
	struct msg *error = NULL;
	struct why why;
	int fn, rc;

	if (!x) {
		COUNT_UP(&w->late, 1);
		return;
	}
	fn = ask_then(x, tab);
	ask_done(a, x);
	if (fn < 0)
		return;
	e = mode_entry(a, tab, &tab->entry[fn]);
	rc = m->flags & MSG_ERR ? 0 : fit_answer(m, e, &why);
	if (rc < 0)
		error = as_error(w, m, rc, why.text);
	call(w, a, error ? error : m, e);
	if (error)
		message_free(&w->pool, error);
}

static COLD void too_late(struct worker *w, struct actor *a, struct msg *m)
{
	struct wait *x;
	struct msg *error;
	struct why why;

	m->corr = ask_late(w, a, m->corr);
	x = m->corr ? ask_find(a, (int64_t)m->corr, WAIT_ASK) : NULL;
	if (!x)
		return;
	why_set(&why, 0, "no answer within %d ms", x->ms);
	error = as_error(w, m, ACTOR_ETIME, why.text);
	answered(w, a, error);
	message_free(&w->pool, error);
}

static COLD void timer_due(struct worker *w, struct actor *a, struct msg *m)
{
	struct msg *due = alarm_begin(a, (int64_t)m->corr);

	if (!due)
		return;
	ordinary(w, a, due);
	alarm_end(w, a, (int64_t)m->corr, due);
}

/* Who was monitored has ended. */
static COLD void down(struct worker *w, struct actor *a, struct msg *m)
{
	const char *then = tie_down(a, (int64_t)msg_slots(m)[0]);
	struct table *tab = type_table(cell_type(a));
	int fn = then ? table_find(tab, then, strlen(then)) : -1;
	struct why why;

	if (fn < 0 || fit_answer(m, &tab->entry[fn], &why) < 0)
		return;
	/* From here on it is a message like others, which may be kept, or meet another mode. */
	m->fn = (uint16_t)fn;
	m->sig = tab->entry[fn].sig;
	ordinary(w, a, m);
}

static void traced(struct worker *w, struct actor *a, struct msg *m)
{
	trace_arrives(w, m);
	if (m->fn == FN_ANSWER)
		answered(w, a, m);
	else
		ordinary(w, a, m);
	trace_arrived(w);
}

static COLD void special(struct worker *w, struct actor *a, struct msg *m)
{
	w->origin = 0;
	switch (m->fn) {
	case FN_ANSWER: answered(w, a, m); break;
	case FN_LATE:   too_late(w, a, m); break;
	case FN_TIMER:  timer_due(w, a, m); break;
	case FN_TRACED: traced(w, a, m); break;
	case FN_START:  life_start(w, a); break;
	case FN_MIGRATE: migrate_actor(a); break;
	case FN_SET:    vars_set(a, m); break;
	case FN_DOWN:   down(w, a, m); break;
	case FN_REACH:  post_answer(w, m->from, m->corr, NULL, 0, 0, NULL); break;
	case FN_LOOK:   look_answer(w, a, m); break;
	default:        supervise_order(w, a, m);
	}
}

static COLD void stale(struct worker *w, struct msg *m)
{
	COUNT_UP(&w->spoilt, 1);
	post_dead(w, NULL, m, "the actor it was sent to has ended");
}

INLINE void handle(struct worker *w, struct actor *a, struct msg *m)
{
	if (unlikely(m->gen != LOAD(&a->gen)) && !supervise_meant(a, m))
		stale(w, m);
	else if (unlikely(m->fn >= FN_SPECIAL))
		special(w, a, m);
	else
		ordinary(w, a, m);
}

/* --- the turn ----------------------------------------------------------------------------- */

_Atomic uint32_t run_tick;

/* Any one message may be there. */
static inline bool overfull(const struct actor *a, uint64_t h)
{
	return HEAD_COUNT(h) > LOAD(&a->max_count) ||
	       (HEAD_UNITS(h) > LOAD(&a->max_units) && HEAD_COUNT(h) > 1);
}

/* The oldest that are too many, where the type says so. */
static COLD uint32_t drop_oldest(struct worker *w, struct actor *a, uint32_t q)
{
	uint64_t h = LOAD(&a->head), dropped = 0;

	while (q && overfull(a, h - dropped)) {
		struct msg *m = msg_at(q);

		q = m->next;
		dropped += HEAD_WEIGHT(msg_units(m));
		post_dead(w, a, m, "the mailbox was full, its type drops the oldest");
		message_free(&w->pool, m);
	}
	cell_leave(a, dropped);
	return q;
}

/* Takes what hangs in the mailbox above `end`; what has been handled leaves its count. */
static uint32_t take(struct worker *w, struct actor *a, uint64_t done, uint32_t end)
{
	uint64_t h = LOAD_ACQUIRE(&a->head);
	uint32_t q;

	cell_gone(a, done);
	/* seq_cst: the count goes down before waiters is looked at; partner: wait_for() in hold.c.
	 * acquire: the messages; partner: cell_push(). */
	while (!atomic_compare_exchange_weak(&a->head, &h, HEAD_WITH(h, TOP_BUSY) - done))
		;
	q = msg_in_order(HEAD_TOP(h), end);
	if (unlikely(overfull(a, h - done)) && cell_type(a)->full == FULL_DROP_OLDEST)
		q = drop_oldest(w, a, q);
	return q;
}

/* Whoever waits for room, and a control message that met the step to idle: after that step this is
 * the thread that was the owner, no more, but both can be seen to by anybody. True: the actor is
 * ours again, or whoever lives in its cell by now. */
static COLD bool after_step(struct worker *w, struct actor *a)
{
	uint64_t idle = TOP_IDLE;

	if (atomic_load(&a->waiters))
		hold_release(w, a);
	return atomic_load(&a->control) &&
	       atomic_compare_exchange_strong(&a->head, &idle, (uint64_t)TOP_BUSY) &&
	       post_stays(w, a);
}

enum step { STEP_IDLE, STEP_CHANGED, STEP_BACK };

/* The step to idle, if the word is as it was (else CHANGED). IDLE: a is not to be touched any more.
 * BACK: it was idle, its count is 0, and it is ours again. */
INLINE enum step rest(struct worker *w, struct actor *a, uint64_t head)
{
	if (LOAD(&a->head) != head)
		return STEP_CHANGED;
	cell_gone(a, head);
	/* seq_cst: idle before the second look; partners: hold.c, wait_for(); post.c, lane() */
	if (unlikely(!atomic_compare_exchange_strong(&a->head, &(uint64_t){ head }, TOP_IDLE))) {
		COUNT_UP(&a->gone, 0 - HEAD_COUNT(head));
		return STEP_CHANGED;
	}
	if (likely(!(atomic_load(&a->waiters) | atomic_load(&a->control))))
		return STEP_IDLE;
	return after_step(w, a) ? STEP_BACK : STEP_IDLE;
}

/* Pushed back, oldest first: what is for a handler, and may not follow one that is held now. */
static void lane_again(struct actor *a, uint32_t i)
{
	while (i) {
		uint32_t next = msg_at(i)->next;

		cell_overtake(a, msg_at(i));
		i = next;
	}
}

static COLD void run_control(struct worker *w, struct actor *a)
{
	uint32_t i = msg_in_order(atomic_exchange(&a->control, 0), 0), kept = 0;

	while (i) {
		struct msg *m = msg_at(i);
		uint32_t next = m->next;

		if (message_is_order(m) || likely(!LOAD(&a->held_on) && !LOAD(&a->stopping))) {
			handle(w, a, m);
			COUNT_UP(&w->handled, 1);
		} else if (LOAD(&a->stopping)) {
			post_dead(w, a, m, "the actor has ended");
		} else {
			m->next = kept;
			kept = i;
			i = next;
			continue;
		}
		message_free(&w->pool, m);
		i = next;
	}
	lane_again(a, msg_in_order(kept, 0));
}

/* Held, and not told to end: who ends by itself has what it sent delivered first. */
static bool waits_for_room(const struct actor *a)
{
	uint8_t s = LOAD(&a->stopping);

	return unlikely(LOAD(&a->held_on)) && (!s || s == END_ITSELF);
}

/* After its lone message a ends. What does so often, and has nobody who wants to know, is quick
 * about it. */
static COLD bool ending(struct worker *w, struct actor *a, struct msg *m)
{
	bool plain = !waits_for_room(a) && supervise_plain(a);

	if (plain)
		life_bury(w, a, 0, msg_index(m));
	else
		a->q = take(w, a, HEAD_WEIGHT(msg_units(m)), msg_index(m));
	message_free(&w->pool, m);
	return !plain;
}

/* The usual case: a lone message is handled where it hangs, and if nothing came meanwhile the actor
 * is idle with one CAS. False: it is idle, held or gone; true: go on with what has come, which is
 * in a->q. */
INLINE bool lone(struct worker *w, struct actor *a, uint64_t h)
{
	struct msg *m = msg_at(HEAD_TOP(h));
	enum step step;

	handle(w, a, m);
	COUNT_UP(&w->handled, 1);
	if (unlikely(LOAD(&a->stopping)))
		return ending(w, a, m);
	step = unlikely(w->hold_on) ? STEP_CHANGED : rest(w, a, h);
	if (unlikely(step == STEP_CHANGED))
		a->q = take(w, a, HEAD_WEIGHT(msg_units(m)), msg_index(m));
	message_free(&w->pool, m);
	return step != STEP_IDLE && (!w->hold_on || hold_end(w, a));
}

/* What has been handled gives its room back, an eighth of the mailbox at a time. */
static uint64_t give_room(struct worker *w, struct actor *a, uint64_t done)
{
	cell_leave(a, done);
	if (unlikely(atomic_load(&a->waiters)))
		hold_release(w, a);
	return 0;
}

/* The next lot of messages, maybe none. False: there is none, a is idle and not to be touched. */
static bool next_lot(struct worker *w, struct actor *a, uint32_t *q, uint64_t *done)
{
	uint64_t h = LOAD_ACQUIRE(&a->head);
	enum step step = HEAD_TOP(h) == TOP_BUSY ? rest(w, a, TOP_BUSY | *done) : STEP_CHANGED;

	if (step == STEP_IDLE)
		return false;
	if (step == STEP_CHANGED)
		*q = take(w, a, *done, 0);
	*done = 0;
	if (unlikely(atomic_load(&a->waiters)))
		hold_release(w, a);
	return true;
}

/* Orders, and its end: what was taken is in a->q. False: it is gone, parked, or held. */
static COLD bool see_to(struct worker *w, struct actor *a, uint64_t *done)
{
	if (LOAD(&a->control))
		run_control(w, a);
	if (waits_for_room(a)) {
		*done = give_room(w, a, *done);
		return w->hold_on ? hold_end(w, a) : hold_again(w, a);
	}
	if (!LOAD(&a->stopping))
		return true;
	if (supervise_plain(a)) {
		life_bury(w, a, a->q, 0);
		return false;
	}
	*done = give_room(w, a, *done);
	return supervise_end(w, a);
}

/* One after the other. True: the turn is over, with more to do; false: idle, held or gone. */
static bool one_by_one(struct worker *w, struct actor *a)
{
	uint32_t tick = LOAD(&run_tick), q = a->q;
	uint64_t done = 0;

	a->q = 0;
	for (;;) {
		struct msg *m;

		if (unlikely(LOAD(&a->control) || LOAD(&a->stopping))) {
			a->q = q;
			if (!see_to(w, a, &done))
				return false;
			q = a->q;
			a->q = 0;
			continue;
		}
		if (!q) {
			if (!next_lot(w, a, &q, &done))
				return false;
			continue;
		}
		m = msg_at(q);
		q = m->next;
		done += HEAD_WEIGHT(msg_units(m));
		handle(w, a, m);
		message_free(&w->pool, m);
		COUNT_UP(&w->handled, 1);
		if (unlikely(w->hold_on || !--w->left || LOAD(&run_tick) != tick) &&
		    !LOAD(&a->stopping)) {
			a->q = q;
			give_room(w, a, done);
			return !w->hold_on || hold_end(w, a);
		}
		if (unlikely(HEAD_COUNT(done) * 8 >= LOAD(&a->max_count)))
			done = give_room(w, a, done);
	}
}

bool run_turn(struct worker *w, struct actor *a)
{
	uint64_t h = LOAD_ACQUIRE(&a->head);
	bool more = true;

	STORE(&w->actor, a);
	w->left = TURN_MESSAGES;
	if (unlikely(LOAD(&a->held_on)))
		more = hold_again(w, a);
	else if (likely(!a->q && HEAD_COUNT(h) == 1 && HEAD_TOP(h) >= MSG_FIRST) &&
		 likely(!LOAD(&a->control)))
		more = lone(w, a, h);
	if (more)
		more = one_by_one(w, a);
	return more;
}

void run_rest(struct worker *w)
{
	STORE(&w->actor, NULL);
	STORE(&w->handler, NULL);
	w->origin = 0;
	worker_turn_end(w);
}

bool run_alone(struct worker *w, struct actor *a)
{
	bool more;

	worker_turn_begin(w);
	STORE(&w->began, __rdtsc());
	more = run_turn(w, a);
	run_rest(w);
	return more;
}
