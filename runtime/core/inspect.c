/* SPDX-License-Identifier: MIT
 * inspect.c - looking inside while everything runs.
 *
 * From any thread, without stopping any: only what is atomic is read, so a picture is true of each
 * actor and of no single moment. */
#include <stdio.h>
#include <x86intrin.h>

#include "hold.h"
#include "home.h"
#include "letters.h"
#include "log.h"
#include "ports.h"
#include "probation.h"
#include "times.h"

const char *origin_name(enum origin o)
{
	static const char *const names[] = { "node", "control", "redis", "client" };

	return names[o];
}

/* Whom it waits for; NULL: for nobody. */
static const char *hold_title(uint32_t held)
{
	if (held == HELD_AT_GATE)
		return "the code before a patch that failed";
	return held ? life_title(cell_at(held)) : NULL;
}

static const char *state_of(const struct actor *a, uint64_t h)
{
	if (LOAD(&a->stopping))
		return LOAD(&a->stopping) & END_OVER ? "restarting" : "stopping";
	if (!LOAD(&a->started))
		return "starting";
	if (HEAD_TOP(h) == TOP_IDLE)
		return "idle";
	if (LOAD(&a->held_on))
		return "held";
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		if (w && LOAD(&w->actor) == a)
			return "running";
	}
	return "ready";
}

/* The mailbox, and how many have left it: mostly of one moment. */
static uint64_t head_of(const struct actor *a, uint32_t *gone)
{
	uint64_t h;

	for (int i = 0; i < 3; i++) {
		*gone = LOAD_ACQUIRE(&a->gone);
		h = LOAD_ACQUIRE(&a->head);
		if (LOAD(&a->gone) == *gone)
			break;
	}
	return h;
}

/* False: nobody lives there. */
static bool describe(struct actor *a, struct actor_info *out)
{
	uint32_t gone;
	uint64_t h = head_of(a, &gone), id = cell_id(a);
	struct name *name = LOAD(&a->name);
	uint32_t held = LOAD(&a->held_on);
	struct type *type;

	if (HEAD_TOP(h) == TOP_DEAD)
		return false;
	type = LOAD_ACQUIRE(&a->type);
	*out = (struct actor_info){.id = id,
				   .name = name ? name_text(name) : NULL,
				   .type = type->name,
				   .home = home_title(a->home),
				   .state = state_of(a, h),
				   .of = type,
				   .parent = LOAD(&a->parent),
				   .depth = HEAD_COUNT(h),
				   .bytes = HEAD_UNITS(h) * (uint32_t)sizeof(struct msg),
				   .max_count = LOAD(&a->max_count),
				   .max_bytes = LOAD(&a->max_units) * (uint32_t)sizeof(struct msg),
				   .asks = LOAD(&a->asks),
				   .restarts = LOAD(&a->restarts),
				   .held_by = hold_title(held),
				   .gone = gone,
				   .state_size = type->state};
	return LOAD_ACQUIRE(&a->gen) == id >> 32;
}

void core_actors(void (*each)(void *, const struct actor_info *), void *arg)
{
	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor_info info;

		if (describe(cell_at(i), &info))
			each(arg, &info);
	}
}

bool core_cells(uint32_t *at, uint32_t most, void (*each)(void *, const struct cell_info *),
		void *arg)
{
	uint32_t n = cell_count(), i = *at ? *at : 1;

	for (; i < n && most; i++, most--) {
		struct actor *a = cell_at(i);
		struct cell_info c;
		uint32_t gone;
		uint64_t h = head_of(a, &gone);

		if (HEAD_TOP(h) == TOP_DEAD || !LOAD_ACQUIRE(&a->type))
			continue;
		c = (struct cell_info){ cell_id(a), cell_type(a), HEAD_COUNT(h),
		                        HEAD_UNITS(h) * (uint32_t)sizeof(struct msg), sizeof *a,
		                        gone };
		c.state_bytes += c.of->state > STATE_INLINE ? c.of->state : 0;
		each(arg, &c);
	}
	*at = i;
	return i < n;
}

uint64_t core_allocated(const struct type *t)
{
	uint64_t bytes = 0;

	for (uint32_t id = 1; type_at(id); id++)
		if (type_at(id)->name == t->name)       /* migrations bring others */
			bytes += LOAD(&type_at(id)->allocated);
	return bytes;
}

int core_inspect(actor_ref ref, struct actor_info *out)
{
	struct target t;

	/* Born again meanwhile: by its name the next incarnation is found. */
	while (target_here(ref, &t, NULL) == 0) {
		if (describe(t.cell, out))
			return 0;
		if (HEAD_TOP(LOAD_ACQUIRE(&t.cell->head)) == TOP_DEAD)
			break;
	}
	return ACTOR_ENOENT;
}

static void handler_info(const struct entry *e, struct handler_info *out)
{
	const struct probation *p = e->code ? probation_of(e->code) : NULL;
	uint64_t cycles = 0;

	*out = (struct handler_info){.name = e->name,
				     .args = e->args,
				     .flags = e->flags,
				     .version = e->version,
				     .slot = e->count,
				     .on_probation = p && probation_runs(p),
				     .fn = e->fn};
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);
		struct call_count *c = w ? worker_counted(w, e->count) : NULL;

		if (!c)
			continue;
		out->calls += LOAD(&c->calls);
		out->failures += LOAD(&c->failures);
		cycles += LOAD(&c->ns);
	}
	out->ns = (uint64_t)((double)cycles / times_cycles_per_ns());
}

void core_handlers(struct type *t, void (*each)(void *, const struct handler_info *), void *arg)
{
	struct worker *w = worker_acquire();
	struct table *tab = type_table(t);

	for (uint32_t i = 0; i < tab->n; i++) {
		struct handler_info info;

		if (entry_gone(&tab->entry[i]))
			continue;
		handler_info(&tab->entry[i], &info);
		each(arg, &info);
	}
	worker_release(w);
}

int core_handler(actor_ref to, const char *what, struct handler_info *out)
{
	struct worker *w = worker_acquire();
	struct target t;
	int fn = ACTOR_ENOENT;

	if (target_here(to, &t, NULL) == 0) {
		struct table *tab = type_table(LOAD_ACQUIRE(&t.cell->type));

		fn = table_find(tab, what, strlen(what));
		if (fn >= 0)
			handler_info(&tab->entry[fn], out);
	}
	worker_release(w);
	return fn < 0 ? ACTOR_ENOENT : 0;
}

bool core_idle(actor_ref who)
{
	struct worker *w = worker_acquire();
	struct target t;
	/* what this thread has gathered for it is before it, too */
	bool idle = target_here(who, &t, NULL) == 0 && !(w->box.top && w->box_to == t.cell) &&
		    HEAD_TOP(LOAD_ACQUIRE(&t.cell->head)) == TOP_IDLE;

	worker_release(w);
	return idle;
}

bool core_is_topic(actor_ref to)
{
	struct worker *w = worker_acquire();
	const char *name = core_ref_name(to);
	struct target t;
	bool is = target_here(to, &t, NULL) == 0 &&
		  (!cell_type(t.cell)->native || cell_type(t.cell)->topic ||
		   (name && strncmp(name, "list:", 5) == 0));

	worker_release(w);
	return is;
}

int actor_is_topic(actor_ref ref)
{
	return core_is_topic(ref);
}

static void bury(struct worker *w, const struct actor *a, const struct call *c,
                 const char *reason)
{
	struct table *tab = type_table(cell_type(a));
	int fn = table_find(tab, c->what, strlen(c->what));

	COUNT_UP(&w->sent, 1);
	COUNT_UP(&w->dead, 1);
	letters_add_packed(a, fn < 0 ? "" : tab->entry[fn].name, c->args, c->count, reason);
}

bool core_too_late(const struct call *c, struct why *why)
{
	struct worker *w = worker_acquire();
	struct target t;
	bool once = target_here(c->to, &t, NULL) == 0 && cell_type(t.cell)->at_most_once;

	if (once) {
		why_set(why, 0, "%s.%s may have been handled before its node died or slept, and is "
		        "wanted at most once", core_ref_name(c->to), c->what);
		bury(w, t.cell, c, why->text);
	}
	worker_release(w);
	return once;
}

const char *core_text_handler(actor_ref to)
{
	struct worker *w = worker_acquire();
	const char *name = NULL;
	struct target t;

	if (target_here(to, &t, NULL) == 0) {
		struct table *tab = type_table(LOAD_ACQUIRE(&t.cell->type));

		for (uint32_t i = 0; i < tab->n && !name; i++)
			if (tab->entry[i].flags & ON_TEXT && !entry_gone(&tab->entry[i]))
				name = tab->entry[i].name;
	}
	worker_release(w);
	return name;
}

/* When the turn under way began. */
static int64_t began(struct worker *w)
{
	int64_t now = now_ns(), since = LOAD(&w->since_ns);

	if (w->pooled)
		return since ? since : now;
	return now - (int64_t)((double)(__rdtsc() - LOAD(&w->began)) / times_cycles_per_ns());
}

void core_workers(void (*each)(void *, const struct worker_info *), void *arg)
{
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);
		struct worker_info info;
		struct actor *a;

		if (!w)
			continue;
		a = LOAD(&w->actor);
		info = (struct worker_info){
			.name = w->name, .handled = LOAD(&w->handled), .failed = LOAD(&w->failed)};
		if (a) {
			info.actor = life_title(a);
			info.handler = LOAD(&w->handler);
			info.since_ns = began(w);
		}
		info.cpu_ns = worker_cpu_ns(w);
		each(arg, &info);
	}
}

static void count(struct core_totals *out)
{
	int64_t living = 0;

	*out = (struct core_totals){ 0 };
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		if (!w)
			continue;
		out->handled += LOAD(&w->handled) - LOAD(&w->spoilt) - LOAD(&w->expired);
		out->failed += LOAD(&w->failed);
		out->dead_letters += LOAD(&w->dead);
		out->refused += LOAD(&w->refused);
		out->late_answers += LOAD(&w->late);
		out->expired += LOAD(&w->expired);
		living += LOAD(&w->living);
	}
	out->actors = living > 0 ? (uint32_t)living : 0;
	/* Last, so that what is handled meanwhile does not seem never to have been sent. */
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		out->sent += w ? LOAD(&w->sent) : 0;
	}
}

void core_totals(struct core_totals *out)
{
	count(out);
	out->actors = 0;
	for (uint32_t i = 1; i < cell_count(); i++) {
		uint64_t h = LOAD(&cell_at(i)->head);

		out->actors += HEAD_TOP(h) != TOP_DEAD;
		out->waiting += HEAD_TOP(h) == TOP_DEAD ? 0 : HEAD_COUNT(h);
	}
}

void core_counts(struct core_totals *out)
{
	int64_t waiting;

	count(out);
	waiting = (int64_t)(out->sent - out->handled - out->dead_letters - out->expired);
	out->waiting = waiting > 0 ? (uint32_t)waiting : 0;
}

void core_types(void (*each)(void *, struct type *), void *arg)
{
	for (uint32_t id = 1; type_at(id); id++)
		each(arg, type_at(id));
}

void actor_log(actor *self, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	log_actor(LOG_INFO, type_name(cell_type(self)), life_title(self), line);
}
