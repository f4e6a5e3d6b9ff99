/* SPDX-License-Identifier: MIT
 * probation.c - counting a patch's first messages, and deciding.
 *
 * It fails when it has had more faults than its terms allow; or, of twenty messages on, when the
 * part that failed is above a tenth and twice the part that did before, or when most took ten times
 * as long as nearly all (99 of 100) did before, and a millisecond more. What was refused in words
 * counts as failed in what was before, and not in what is now. It passes with so many messages or
 * seconds. Who decides closes the gate (hold.h) first: from then on each actor that comes to a
 * message for this code waits there, with it, until the room has put the earlier code in force. So
 * between the decision and that moment nothing is run by what has failed, and no order changes.
 *
 *     ON -> DECIDING -> FAILED -> BACK, or OVER where it has to stay      ON -> PASSED -> OVER */
#include "probation.h"

#include <stdio.h>

#include "ports.h"

enum { ENOUGH = 20, TIMES = 10, MORE_NS = 1000000 };
enum state { ON, DECIDING, FAILED, PASSED, OVER, BACK };

struct probation {
	struct probation_terms terms;
	uint32_t number;
	struct code *code;              /* held while the room has it */
	_Atomic int state;
	_Atomic uint64_t messages, faults, failures, slow;
	_Atomic bool large;
	double failed_before;
	int64_t slow_ns, p99_before;    /* 0: too little is known of before */
	int64_t began_ms;
	_Atomic int64_t first_ns;
	char reason[256];               /* by who decides, before FAILED */
};

static void (*_Atomic decided)(void);
static _Atomic uint32_t ran_last;

uint32_t core_ran_on_probation(void)
{
	return LOAD(&ran_last);
}

void core_on_probation(void (*fn)(void))
{
	STORE(&decided, fn);
}

struct probation *probation_of(const struct code *code)
{
	return code_attached(code);
}

bool probation_runs(const struct probation *p)
{
	return LOAD(&p->state) == ON;
}

bool probation_failed(const struct probation *p)
{
	int s = LOAD_ACQUIRE(&p->state);

	return s == FAILED || s == DECIDING;
}

bool probation_is_back(const struct probation *p)
{
	return LOAD_ACQUIRE(&p->state) == BACK;
}

size_t probation_state(const struct probation *p)
{
	return p->terms.state;
}

void probation_note_large(struct probation *p)
{
	STORE(&p->large, true);
}

/* --- before ------------------------------------------------------------------------------- */

struct past { const struct actor_handler *on; uint64_t calls, failures; struct handler_times t; };

static void add_past(void *arg, const struct handler_info *h)
{
	const struct actor_handler *on = ((struct past *)arg)->on;
	struct past *p = arg;
	struct handler_times t;

	while (on->name && strcmp(on->name, h->name))
		on++;
	if (!on->name)
		return;
	p->calls += h->calls;
	p->failures += h->failures;
	core_handler_times(h, &t);
	for (int i = 0; i < TIME_PLACES; i++)
		p->t.count[i] += t.count[i];
	if (t.most_ns > p->t.most_ns)
		p->t.most_ns = t.most_ns;
}

static void look_back(struct probation *p, const struct change *c, int n)
{
	struct past past = { .calls = 0 };
	uint64_t timed = 0;

	for (int i = 0; i < n; i++) {
		past.on = c[i].on;
		core_handlers(c[i].type, add_past, &past);
	}
	for (int i = 0; i < TIME_PLACES; i++)
		timed += past.t.count[i];
	p->failed_before = past.calls ? (double)past.failures / (double)past.calls : 0;
	if (timed < ENOUGH)
		return;
	p->p99_before = core_times_part(&past.t, 0.99);
	p->slow_ns = TIMES * p->p99_before + MORE_NS;
}

/* --- its life ------------------------------------------------------------------------- */

struct probation *probation_begin(struct code *code, uint32_t number,
				  const struct probation_terms *t, const struct change *c, int n)
{
	struct probation *p = mem_alloc(sizeof *p);

	p->number = number;
	p->terms = *t;
	p->began_ms = now_ms();
	p->code = code_hold(code);
	look_back(p, c, n);
	code_attach(code, p);
	return p;
}

/* Closed before the state says so. */
static void decide(struct probation *p, const char *words)
{
	int on = ON;
	void (*tell)(void) = LOAD(&decided);

	if (!atomic_compare_exchange_strong(&p->state, &on, DECIDING))
		return;
	hold_gate_close();
	snprintf(p->reason, sizeof p->reason, "%s", words);
	STORE_RELEASE(&p->state, FAILED);       /* partner: probation_look() */
	if (tell)
		tell();
}

static void pass(struct probation *p)
{
	void (*tell)(void) = LOAD(&decided);
	int on = ON;

	if (atomic_compare_exchange_strong(&p->state, &on, PASSED) && tell)
		tell();
}

void probation_enter(const struct probation *p)
{
	STORE(&ran_last, p->number);
}

void probation_count(struct probation *p, const struct tried *t)
{
	uint64_t n = atomic_fetch_add(&p->messages, 1) + 1, faults, failures, slow;
	int64_t never = 0;
	struct why why;

	if (t->failed)
		atomic_compare_exchange_strong(&p->first_ns, &never, now_ns());
	faults = atomic_fetch_add(&p->faults, t->fault) + t->fault;
	failures = atomic_fetch_add(&p->failures, t->failed) + t->failed;
	slow = atomic_fetch_add(&p->slow, p->slow_ns && t->ns > p->slow_ns);
	if (t->fault && faults > p->terms.faults) {
		decide(p, t->words);
	} else if (t->failed && n >= ENOUGH && failures * 10 > n &&
		   (double)failures > 2 * p->failed_before * (double)n) {
		why_set(&why, 0,
			"%lu of its %lu messages failed, before it %.1f of 100 did; the last: %s",
			(unsigned long)failures, (unsigned long)n, 100 * p->failed_before,
			t->words);
		decide(p, why.text);
	} else if (n >= ENOUGH && slow * 2 > n) {
		why_set(&why, 0,
			"%lu of its %lu messages took longer than %.1f ms, before it 99 of 100 "
			"were done in %.3f ms",
			(unsigned long)slow, (unsigned long)n, (double)p->slow_ns / 1e6,
			(double)p->p99_before / 1e6);
		decide(p, why.text);
	} else if (n >= p->terms.messages) {
		pass(p);
	}
}

void probation_at(const struct probation *p, struct probation_info *out)
{
	int64_t left = p->began_ms + (int64_t)p->terms.seconds * 1000 - now_ms();
	int s = LOAD_ACQUIRE(&p->state);

	*out = (struct probation_info){
		.word = s == FAILED ? PROBATION_FAILED
			: s == ON || s == DECIDING ? PROBATION_RUNS : PROBATION_PASSED,
		.terms = p->terms,
		.messages = LOAD(&p->messages),
		.faults = LOAD(&p->faults),
		.failures = LOAD(&p->failures),
		.left_ms = left > 0 ? left : 0,
		.first_ns = LOAD(&p->first_ns),
		.large = LOAD(&p->large),
		.reason = s == FAILED ? p->reason : "",
	};
}

/* Time is over, unless somebody has just decided. */
void probation_pass(struct probation *p)
{
	int on = ON;

	atomic_compare_exchange_strong(&p->state, &on, PASSED);
}

void probation_end(struct probation *p, bool back)
{
	int s = ON;
	struct code *code = p->code;
	uint32_t number = p->number;

	while (s != FAILED && !(s != DECIDING && CAS(&p->state, &s, OVER)))
		s = LOAD_ACQUIRE(&p->state);
	if (s == FAILED) {
		STORE_RELEASE(&p->state, back ? BACK : OVER);
		hold_gate_open();
	}
	p->code = NULL;
	CAS(&ran_last, &number, 0);
	code_drop(code);
}
