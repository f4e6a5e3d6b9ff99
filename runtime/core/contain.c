/* SPDX-License-Identifier: MIT
 * contain.c - handlers of compiled code: they run guarded, and a fault in one is a message that
 * failed.
 *
 * After a fault the worker is as after a handler that returned ACTOR_EFAIL: values begun are
 * dropped, the caller hears the words. A state of at most 4 KiB is put back as it was before the
 * message; one that is larger may be half changed, so its actor has failed, and its supervisor
 * decides. What was sent before the fault has been sent, but for a patch on probation: what that
 * sends is a draft (draft.h) until its handler has returned, whatever the draft holds is undone
 * after a fault or a failure, and a state is put back up to the size that its terms say. Where the
 * patch fails its probation, the message waits with its actor for the code before it (hold.h): as
 * it is where it had not begun, and where its type allows it also the one that failed. */
#include "contain.h"

#include <stdio.h>

#include "crash.h"
#include "guard.h"
#include "kin.h"
#include "letters.h"
#include "log.h"
#include "ports.h"
#include "probation.h"

enum { BUDGET_MS = 1000, STATE_KEPT = 4096 };

static uint32_t budget_of(const struct actor *a)
{
	uint32_t ms = cell_type(a)->budget_ms;

	return ms ? ms : BUDGET_MS;
}

static void look_at(struct worker *w, int64_t now_ns)
{
	struct guard *g = LOAD_ACQUIRE(&w->guard);
	struct actor *a = LOAD(&w->actor);

	if (g)
		guard_look(g, now_ns, a ? budget_of(a) : BUDGET_MS);
}

void contain_watch(struct worker *w, int64_t now_ns)
{
	look_at(w, now_ns);
}

/* --- homes: the watch looks after these only while they run compiled code ----------------- */

void (*contain_stir)(void);
static _Atomic uint32_t homes_inside;

bool contain_homes(void)
{
	return atomic_load(&homes_inside);
}

/* A home's thread may end meanwhile, and its guard with it. */
void contain_watch_homes(int64_t now_ns)
{
	if (!contain_homes())
		return;
	guard_stay(true);
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		if (w && !w->pooled)
			look_at(w, now_ns);
	}
	guard_stay(false);
}

static int run(struct worker *w, struct guard *g, void *fn, actor *self, const msg *m)
{
	int rc;

	if (likely(w->pooled))
		return guard_run(g, fn, self, m);
	/* seq_cst: inside before whether the watch sleeps; partner: sleep_while_idle(). */
	atomic_fetch_add(&homes_inside, 1);
	if (contain_stir)
		contain_stir();
	rc = guard_run(g, fn, self, m);
	atomic_fetch_sub(&homes_inside, 1);
	return rc;
}

/* "counter.hit of patch 3: a bad pointer (0) at fix.c:12 in hit()" */
static COLD void explain(struct actor *a, struct guard *g, const char *what, struct why *why)
{
	struct buf text = { 0 };
	char of[32] = "";

	if (g->version)
		snprintf(of, sizeof of, " of patch %u", g->version);
	guard_explain(g, budget_of(a), &text);
	why_set(why, 0, "%s.%s%s: %.*s", type_title_of(a), what, of, (int)text.len, text.p);
	buf_fini(&text);
}

static void log_fault(const struct why *why, uint64_t crash)
{
	struct why line;

	why_set(&line, 0, "contained: %s", why->text);
	crash_log(line.text, crash);
}

static void begin(struct guard *g, const struct code *code, uint32_t version)
{
	g->code = code;
	g->version = version;
}

/* Its state is not as it was: its actor has failed. */
static int tell(struct actor *a, struct msg *m, const struct entry *e, const struct why *why,
		bool whole)
{
	if (m->corr && !(m->flags & MSG_ANSWER))        /* else run.c makes it a dead letter */
		letters_add_to(a, e->name, m, why->text);
	if (!whole)
		kin_fail(a, "%s", why->text);
	return msg_fail(m, "%s", why->text);
}

static COLD void say_fault(struct worker *w, struct actor *a, const struct msg *m,
			   const struct entry *e, struct guard *g, bool whole, struct why *why)
{
	explain(a, g, e->name, why);
	log_fault(why, crash_note(a, m, &(struct crash_about){
		.handler = e->name, .reason = why->text, .patch = g->version, .ends = !whole }));
	COUNT_UP(&w->faults, 1);
}

/* --- on probation ------------------------------------------------------------------------- */

bool contain_wait(struct worker *w, struct actor *a, struct msg *m, const struct entry *e)
{
	int fn = table_find(type_table(cell_type(a)), e->name, strlen(e->name));
	struct msg *copy = fn < 0 ? NULL : message_copy(&w->pool, m);

	if (!copy)
		return false;
	copy->gen = LOAD(&a->gen);
	copy->fn = (uint16_t)fn;
	copy->sig = e->sig;
	if (!hold_at_gate(w, a, copy)) {
		message_free(&w->pool, copy);
		return false;
	}
	if (!(m->flags & MSG_ANSWER))
		m->corr = 0;            /* whoever waits, waits for the copy */
	return true;
}

/* Is e still in force, where its patch has been taken back? */
static bool in_force(const struct actor *a, const struct entry *e)
{
	struct table *tab = type_table(cell_type(a));
	int fn = table_find(tab, e->name, strlen(e->name));

	return fn >= 0 && tab->entry[fn].code == e->code;
}

struct before { uint64_t corr; uint8_t stopping; };

static void undo(struct worker *w, struct actor *a, struct msg *m, const struct before *b)
{
	draft_undo(w, a, actor_state(a));
	m->corr = b->corr;
	w->in_handler = IN_HANDLER;
	*w->failure = 0;
	STORE(&a->stopping, b->stopping);
}

/* Somebody may have been quick, and taken it back already. */
static bool may_retry(const struct actor *a, const struct probation *p)
{
	return cell_type(a)->retry && (probation_failed(p) || probation_is_back(p));
}

static COLD int fell_on_probation(struct worker *w, struct actor *a, struct msg *m,
				  const struct entry *e, struct guard *g, struct tried *t,
				  bool whole)
{
	struct probation *p = probation_of(e->code);
	struct why why;

	say_fault(w, a, m, e, g, whole, &why);
	t->words = why.text;
	probation_count(p, t);
	if (whole && may_retry(a, p) && contain_wait(w, a, m, e))
		return 0;
	return tell(a, m, e, &why, whole);
}

static int count(struct worker *w, struct actor *a, struct msg *m, const struct entry *e,
		 struct tried *t, int rc, bool whole)
{
	struct probation *p = probation_of(e->code);

	t->words = error_name(rc);
	probation_count(p, t);
	if (t->failed && whole && may_retry(a, p) && contain_wait(w, a, m, e))
		return 0;
	return rc;
}

static COLD int on_probation(struct worker *w, struct actor *a, struct msg *m,
			     const struct entry *e, struct guard *g, struct probation *p)
{
	size_t size = cell_type(a)->state;
	bool whole;
	struct before b = { m->corr, LOAD(&a->stopping) };
	uint32_t depth = w->depth;
	int64_t began = now_ns();
	struct tried t;
	int rc;

	draft_begin(w, &g->draft, size, size <= probation_state(p));
	begin(g, e->code, e->version);
	probation_enter(p);
	rc = run(w, g, (void *)(uintptr_t)e->fn, a, m);
	w->depth = depth;
	t = (struct tried){ .fault = LOAD(&g->fault) != FAULT_NONE, .ns = now_ns() - began };
	t.failed = t.fault || (rc < 0 && !(w->in_handler & IN_REFUSAL) &&
	                       !worker_passes_on(w, rc));
	whole = !draft_is_lossy();
	if (!whole)
		probation_note_large(p);
	if (t.failed)
		undo(w, a, m, &b);
	else
		draft_leave(w, a);
	if (t.fault)
		return fell_on_probation(w, a, m, e, g, &t, whole);
	return count(w, a, m, e, &t, rc, whole);
}

/* True: m was not for this code any more, or is done, with *rc. */
static COLD bool tried(struct worker *w, struct actor *a, struct msg *m, const struct entry *e,
		       struct guard *g, int *rc)
{
	struct probation *p = probation_of(e->code);

	*rc = 0;
	if (probation_failed(p) || (probation_is_back(p) && !in_force(a, e)))
		return contain_wait(w, a, m, e);
	if (!probation_runs(p))
		return false;
	*rc = on_probation(w, a, m, e, g, p);
	return true;
}

int contain_handler(struct worker *w, struct actor *a, struct msg *m, const struct entry *e)
{
	struct guard *g = guard_get(w);
	size_t size = cell_type(a)->state;
	unsigned char state[STATE_KEPT];
	bool whole = size <= sizeof state;
	uint32_t depth = w->depth;
	struct why why;
	int rc;

	if (unlikely(!g))
		return e->fn(a, m);
	if (probation_of(e->code) && tried(w, a, m, e, g, &rc))
		return rc;
	if (whole)
		memcpy(state, actor_state(a), size);
	begin(g, e->code, e->version);
	rc = run(w, g, (void *)(uintptr_t)e->fn, a, m);
	if (likely(!LOAD(&g->fault)))
		return rc;
	w->depth = depth;
	if (whole)
		memcpy(actor_state(a), state, size);
	say_fault(w, a, m, e, g, whole, &why);
	return tell(a, m, e, &why, whole);
}

/* fn(first, second), on behalf of self. */
static int call(actor *self, void *fn, void *first, void *second, const struct code *code,
		const char *what, struct why *why)
{
	struct worker *w = worker_acquire();
	struct guard *g = code ? guard_get(w) : NULL;
	uint32_t depth = w->depth;
	int rc;

	*why->text = 0;
	if (g) {
		begin(g, code, 0);
		rc = run(w, g, fn, first, second);
	} else {
		rc = ((int (*)(void *, void *))(uintptr_t)fn)(first, second);
	}
	if (g && LOAD(&g->fault)) {
		w->depth = depth;
		explain(self, g, what, why);
		log_fault(why, 0);
		COUNT_UP(&w->faults, 1);
		rc = ACTOR_EFAIL;
	}
	worker_release(w);
	return rc;
}

int contain_call(actor *self, void *fn, const struct code *code, const char *what, struct why *why)
{
	return call(self, fn, self, NULL, code, what, why);
}

int contain_move(actor *self, int (*fn)(const void *, void *), const void *from, void *to,
		 const struct code *code, struct why *why)
{
	return call(self, (void *)(uintptr_t)fn, (void *)(uintptr_t)from, to, code, "migrate", why);
}

int core_run(actor *self, int (*fn)(actor *), const struct code *code, struct why *why)
{
	struct worker *w = worker_acquire();
	struct guard *g = guard_get(w);
	int rc;

	if (w->box.top)
		post_box(w);
	if (g)
		draft_begin(w, &g->draft, 0, false);
	rc = contain_call(self, (void *)(uintptr_t)fn, code, "process", why);
	if (g && rc)
		draft_undo(w, self, NULL);
	else if (g)
		draft_leave(w, self);
	w->last_to = NULL;
	worker_release(w);
	return rc;
}
