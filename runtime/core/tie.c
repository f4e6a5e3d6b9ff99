/* SPDX-License-Identifier: MIT
 * tie.c - links and monitors.
 *
 * Each side has a record of the other, which only its owner touches; the sides speak by orders.
 * Whoever ends sends FN_EXIT to its links and FN_DOWN to its watchers, once; an order that meets an
 * actor which has just ended is answered by whoever finds it (post.c). So who asked to be told is
 * told exactly once, and what was taken back meanwhile finds no record and is passed over. */
#include "tie.h"

#include <stdio.h>

enum { TIES_MAX = 16384 }; /* of a kind, on either side */

static uint32_t grown(uint32_t n)
{
	return n < 4 ? 4 : n * 2;
}

/* Room for one more in an array of n, whose sizes are 4 and its doublings. */
static void *room(void *array, uint32_t n, size_t one)
{
	if (n && (n < 4 || (n & (n - 1))))
		return array;
	return mem_resize(array, grown(n) * one);
}

/* --- the other side's ---------- */

static void watched(struct worker *w, struct actor *a, const struct msg *m)
{
	struct kin *k = kin_of(a);

	if (k->watcher_count == TIES_MAX) {
		post_down(w, m->from, m->corr, order_text(m), "it has too many monitors already");
		return;
	}
	k->watchers = room(k->watchers, k->watcher_count, sizeof *k->watchers);
	k->watchers[k->watcher_count++] = (struct watcher){ m->from, m->corr };
}

static void unwatched(struct actor *a, const struct msg *m)
{
	const struct type *type = cell_type(a);
	struct kin *k = a->kin;

	if (type->unwatched) {
		type->unwatched(a, m->from, (int64_t)m->corr);
		return;
	}
	for (uint32_t i = 0; k && i < k->watcher_count; i++)
		if (k->watchers[i].who == m->from && k->watchers[i].number == m->corr) {
			k->watchers[i] = k->watchers[--k->watcher_count];
			return;
		}
}

static bool linked(struct actor *a, uint64_t with)
{
	for (uint32_t i = 0; a->kin && i < a->kin->link_count; i++)
		if (a->kin->links[i] == with)
			return true;
	return false;
}

static bool link_add(struct actor *a, uint64_t with)
{
	struct kin *k = kin_of(a);

	if (linked(a, with))
		return true;
	if (k->link_count == TIES_MAX)
		return false;
	k->links = room(k->links, k->link_count, sizeof *k->links);
	k->links[k->link_count++] = with;
	return true;
}

static bool link_remove(struct actor *a, uint64_t with)
{
	struct kin *k = a->kin;

	for (uint32_t i = 0; k && i < k->link_count; i++)
		if (k->links[i] == with) {
			k->links[i] = k->links[--k->link_count];
			return true;
		}
	return false;
}

void tie_order(struct worker *w, struct actor *a, const struct msg *m)
{
	switch (m->fn) {
	case FN_MONITOR:
		watched(w, a, m);
		break;
	case FN_DEMONITOR:
		unwatched(a, m);
		break;
	case FN_LINK:
		if (!link_add(a, m->from))
			post_order(w, m->from,
			           &(struct order){ FN_EXIT, cell_id(a), 1,
			                            "it has too many links already" });
		break;
	case FN_UNLINK:
		link_remove(a, m->from);
		break;
	case FN_EXIT:
		if (link_remove(a, m->from) && m->corr)
			kin_fail(a, "an actor linked to it ended: %s", order_text(m));
		break;
	}
}

/* --- the end ---------- */

void tie_end(struct worker *w, struct actor *a, bool failed)
{
	struct kin *k = a->kin;
	uint64_t id = cell_id(a);
	struct why why;

	if (!k)
		return;
	why_set(&why, 0, "%s: %s", type_title_of(a), kin_reason(a));
	for (uint32_t i = 0; i < k->watcher_count; i++)
		post_down(w, k->watchers[i].who, k->watchers[i].number, type_title_of(a),
		          kin_reason(a));
	for (uint32_t i = 0; i < k->link_count; i++)
		post_order(w, k->links[i], &(struct order){ FN_EXIT, id, failed, why.text });
	for (uint32_t i = 0; i < k->monitor_count; i++)
		post_order(
			w, k->monitors[i].whom,
			&(struct order){ FN_DEMONITOR, id, (uint64_t)k->monitors[i].number, "" });
	k->watcher_count = k->link_count = k->monitor_count = 0;
}

const char *tie_down(struct actor *a, int64_t number)
{
	struct kin *k = a->kin;

	for (uint32_t i = 0; k && i < k->monitor_count; i++)
		if (k->monitors[i].number == number) {
			const char *then = k->monitors[i].then;

			k->monitors[i] = k->monitors[--k->monitor_count];
			return then;
		}
	return NULL;
}

/* --- actor.h's ---------- */

static int find(actor_ref whom, struct target *t)
{
	if (t->name && !strncmp(t->name, "list:", 5))
		return why_set(&kin_why, ACTOR_ENOENT, "%s is a list of Redis, no actor", t->name);
	return target_spoken(whom, t, &kin_why);
}

/* Would the handler `then` of self take number, name and reason? */
static int fits(struct actor *self, const char *then)
{
	struct type *type = cell_type(self);
	struct table *tab = type_table(type);
	int fn = then ? table_find(tab, then, strlen(then)) : -1;
	struct arg args[3] = { { .type = VALUE_INT },
		               { .type = VALUE_STR, .p = "" },
		               { .type = VALUE_STR, .p = "" } };

	if (fn < 0)
		return table_missing(type, tab, then ? then : "", &kin_why);
	return args_fit(args, 3, signature_get(tab->entry[fn].sig), then, tab->entry[fn].args,
	                &kin_why);
}

/* Is it somebody elsewhere, for whom a proxy speaks here? */
static bool is_away(const struct target *t)
{
	const struct name *own = LOAD(&t->cell->name);

	return t->name && (!own || strcmp(name_text(own), t->name));
}

/* The proxy is told by a message to a handler without a name: the number. */
static int watch_away(struct worker *w, struct actor *self, actor_ref whom, int64_t number)
{
	struct arg value = { .type = VALUE_INT, .bits = (uint64_t)number };
	struct letter l = { .to = whom, .what = "", .from = cell_id(self), .origin = w->origin };

	return send_args(w, &l, &value, 1, &kin_why);
}

static int64_t monitor(struct worker *w, struct actor *self, actor_ref whom, const char *then)
{
	struct kin *k = kin_of(self);
	struct target t = { .name = core_ref_name(whom) };
	int rc = find(whom, &t);
	struct monitor *x;

	if (!rc)
		rc = fits(self, then);
	if (!rc && k->monitor_count == TIES_MAX)
		rc = why_set(&kin_why, ACTOR_ENOMEM, "%d monitors are the limit of an actor",
		             TIES_MAX);
	if (rc < 0)
		return rc;
	k->monitors = room(k->monitors, k->monitor_count, sizeof *k->monitors);
	x = &k->monitors[k->monitor_count++];
	*x = (struct monitor){ ++k->serial, (uint64_t)t.gen << 32 | cell_index(t.cell),
		               name_text(name_of(then, strlen(then))) };
	if (is_away(&t)) {
		rc = watch_away(w, self, whom, x->number);
		if (rc < 0)
			k->monitor_count--;
		return rc < 0 ? rc : (int64_t)k->serial;
	}
	if (!post_order(w, x->whom, &(struct order){ FN_MONITOR, cell_id(self), k->serial,
	                                             type_title_of(t.cell) }))
		post_down(w, cell_id(self), k->serial, t.name ? t.name : "", "it has ended");
	return k->serial;
}

void core_down(actor_id who, int64_t number, const char *name, const char *reason)
{
	struct worker *w = worker_acquire();

	post_down(w, who, (uint64_t)number, name, reason);
	worker_release(w);
}

int64_t actor_monitor(actor *self, actor_ref whom, const char *then)
{
	struct worker *w = worker_acquire();
	int64_t rc = monitor(w, self, whom, then);

	worker_release(w);
	return rc;
}

int actor_demonitor(actor *self, int64_t number)
{
	struct worker *w = worker_acquire();
	struct kin *k = self->kin;
	uint64_t whom = 0;

	for (uint32_t i = 0; k && i < k->monitor_count; i++)
		if (k->monitors[i].number == number)
			whom = k->monitors[i].whom;
	if (tie_down(self, number))
		post_order(w, whom,
		           &(struct order){ FN_DEMONITOR, cell_id(self), (uint64_t)number, "" });
	worker_release(w);
	return whom ? 0 : ACTOR_ENOENT;
}

int actor_link(actor *self, actor_ref with)
{
	struct worker *w = worker_acquire();
	struct target t = { .name = core_ref_name(with) };
	int rc = find(with, &t);

	if (!rc && t.cell == self)
		rc = why_set(&kin_why, ACTOR_EARGS, "an actor is not linked to itself");
	if (!rc && cell_type(t.cell)->native)
		rc = why_set(&kin_why, ACTOR_EARGS, "%s is part of the runtime: monitor it instead",
		             type_title_of(t.cell));
	if (!rc) {
		uint64_t id = (uint64_t)t.gen << 32 | cell_index(t.cell);

		if (!link_add(self, id))
			rc = why_set(&kin_why, ACTOR_ENOMEM, "%d links are the limit of an actor",
			             TIES_MAX);
		else if (!post_order(w, id, &(struct order){ FN_LINK, cell_id(self), 0, "" })) {
			link_remove(self, id);
			rc = why_set(&kin_why, ACTOR_ENOENT, "it has just ended");
		}
	}
	worker_release(w);
	return rc;
}

int actor_unlink(actor *self, actor_ref with)
{
	struct worker *w = worker_acquire();
	struct target t = { .name = core_ref_name(with) };
	int rc = find(with, &t);
	uint64_t id = (uint64_t)t.gen << 32 | (rc ? 0 : cell_index(t.cell));

	if (!rc && link_remove(self, id))
		post_order(w, id, &(struct order){ FN_UNLINK, cell_id(self), 0, "" });
	worker_release(w);
	return rc;
}
