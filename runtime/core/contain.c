/* SPDX-License-Identifier: MIT
 * contain.c - handlers of compiled code: they run guarded, and a fault in one is a message that
 * failed.
 *
 * After a fault the worker is as after a handler that returned ACTOR_EFAIL: what was sent before
 * the fault has been sent, values begun are dropped, the caller hears the words. A state of at most
 * 4 KiB is put back as it was before the message; one that is larger may be half changed, so its
 * actor has failed, and its supervisor decides. */
#include "contain.h"

#include <stdio.h>

#include "guard.h"
#include "kin.h"
#include "letters.h"
#include "log.h"
#include "ports.h"

enum { BUDGET_MS = 1000, LOGGED_A_SECOND = 10, STATE_KEPT = 4096 };

static uint32_t budget_of(const struct actor *a)
{
	uint32_t ms = cell_type(a)->budget_ms;

	return ms ? ms : BUDGET_MS;
}

void contain_watch(struct worker *w, int64_t now_ns)
{
	struct guard *g = LOAD_ACQUIRE(&w->guard);
	struct actor *a = LOAD(&w->actor);

	if (g)
		guard_look(g, now_ns, a ? budget_of(a) : BUDGET_MS);
}

/* "counter.hit of patch 3: a bad pointer (0) at fix.c:12 in hit()" */
static COLD void explain(struct actor *a, struct guard *g, const char *what, struct why *why)
{
	struct name *name = LOAD(&a->name);
	struct buf text = { 0 };
	char of[32] = "";

	if (g->version)
		snprintf(of, sizeof of, " of patch %u", g->version);
	guard_explain(g, budget_of(a), &text);
	why_set(why, 0, "%s.%s%s: %.*s",
		name && *name_text(name) ? name_text(name) : type_title(cell_type(a)), what, of,
		(int)text.len, text.p);
	buf_fini(&text);
}

/* One line a fault, but no flood: what is left out is said with the next. */
static void log_fault(const struct why *why)
{
	static _Atomic int64_t second;
	static _Atomic uint32_t logged, left_out;
	int64_t now = now_ms() / 1000;

	if (LOAD(&second) != now) {
		STORE(&second, now);
		STORE(&logged, 0);
	}
	if (atomic_fetch_add(&logged, 1) < LOGGED_A_SECOND)
		log_line(LOG_WARN, "actor", "contained: %s (%u like it not logged)", why->text,
		         atomic_exchange(&left_out, 0));
	else
		atomic_fetch_add(&left_out, 1);
}

static void begin(struct guard *g, const struct code *code, uint32_t version)
{
	g->code = code;
	g->version = version;
}

static COLD int fell(struct worker *w, struct actor *a, struct msg *m, const struct entry *e,
		     struct guard *g, bool whole)
{
	struct why why;

	explain(a, g, e->name, &why);
	log_fault(&why);
	COUNT_UP(&w->faults, 1);
	if (m->corr && !(m->flags & MSG_ANSWER))        /* else run.c makes it a dead letter */
		letters_add_to(a, e->name, m, why.text);
	if (!whole)
		kin_fail(a, "%s", why.text);
	return msg_fail(m, "%s", why.text);
}

int contain_handler(struct worker *w, struct actor *a, struct msg *m, const struct entry *e)
{
	struct guard *g = guard_get(w);
	size_t size = cell_type(a)->state;
	unsigned char state[STATE_KEPT];
	bool whole = size <= sizeof state;
	uint32_t depth = w->depth;
	int rc;

	if (unlikely(!g))
		return e->fn(a, m);
	if (whole)
		memcpy(state, actor_state(a), size);
	begin(g, e->code, e->version);
	rc = guard_run(g, (void *)(uintptr_t)e->fn, a, m);
	if (likely(!LOAD(&g->fault)))
		return rc;
	w->depth = depth;
	if (whole)
		memcpy(actor_state(a), state, size);
	return fell(w, a, m, e, g, whole);
}

int contain_call(actor *self, void *fn, const struct code *code, const char *what, struct why *why)
{
	struct worker *w = worker_acquire();
	struct guard *g = code ? guard_get(w) : NULL;
	uint32_t depth = w->depth;
	int rc;

	if (g) {
		begin(g, code, 0);
		rc = guard_run(g, fn, self, NULL);
	} else {
		rc = ((int (*)(actor *))(uintptr_t)fn)(self);
	}
	if (g && LOAD(&g->fault)) {
		w->depth = depth;
		explain(self, g, what, why);
		log_fault(why);
		COUNT_UP(&w->faults, 1);
		rc = ACTOR_EFAIL;
	} else {
		*why->text = 0;
	}
	worker_release(w);
	return rc;
}

int core_run(actor *self, int (*fn)(actor *), const struct code *code, struct why *why)
{
	return contain_call(self, (void *)(uintptr_t)fn, code, "process", why);
}
