/* SPDX-License-Identifier: MIT
 * look.c - see look.h.
 *
 * The question comes by the lane that overtakes, so a full mailbox does not hold it up; an actor
 * that is inside a handler answers when that returns, and who asks gives up waiting before. One
 * that has ended and is to begin again answers, too: as it was left, or as it begins. */
#include "look.h"

#include "calendar.h"
#include "core.h"
#include "life.h"

enum { SHOWN = 100, STATE_MOST = 64 << 10 };

/* --- asking ------------------------------------------------------------------------------- */

int64_t core_look(actor *self, actor_ref who, const char *then, int ms)
{
	struct worker *w = worker_acquire();
	int64_t due_ms = deadline_in(ms), number = ACTOR_ENOENT;
	struct wait *x = NULL;
	struct target t;
	bool here = target_find(who, &t, NULL) == 0;

	if (here)
		x = wait_new(self, WAIT_ASK, deadline_bits(due_ms, ms));
	if (x) {
		struct order o = { FN_LOOK, cell_id(self), (uint64_t)x->number, NULL };

		number = x->number;
		x->then = name_text(name_of(then, strlen(then)));
		x->ms = ms;
		ask_due(self, x, due_ms);
		/* born again meanwhile: the next incarnation is asked */
		while (here && !post_order(w, (uint64_t)t.gen << 32 | cell_index(t.cell), &o))
			here = target_find(who, &t, NULL) == 0;
	}
	if (x && !here) {
		ask_done(self, x);
		number = ACTOR_ENOENT;
	}
	worker_release(w);
	return number;
}

/* --- answering ---------------------------------------------------------------------------- */

struct list { struct buf b; uint32_t n; };

static void key(struct buf *b, const char *name) { pack_text(b, name); }

static void pair(struct buf *b, const char *name, const char *v)
{
	key(b, name);
	pack_text(b, v);
}

static void close_list(struct buf *out, const char *name, struct list *l)
{
	key(out, name);
	pack_list(out, l->n);
	buf_add(out, l->b.p, l->b.len);
	buf_fini(&l->b);
}

static const char *title_of(uint64_t ref)
{
	struct target t;

	if (ref >> 63)
		return core_ref_name(ref);
	return ref && target_find(ref, &t, NULL) == 0 ? life_title(t.cell) : NULL;
}

static const char *handler_of(const struct actor *a, const struct msg *m)
{
	struct table *tab = type_table(cell_type(a));

	return m && m->fn < tab->n ? tab->entry[m->fn].name : NULL;
}

static void timers(const struct actor *a, struct buf *out)
{
	struct pending *p = a->pending;
	struct list l = { .n = 0 };

	for (uint32_t i = 1; p && i < p->size && l.n < SHOWN; i++) {
		struct wait *x = &p->wait[i];

		if (x->kind != WAIT_TIMER)
			continue;
		l.n++;
		pack_map(&l.b, 3);
		pair(&l.b, "handler", handler_of(a, x->msg));
		key(&l.b, "due_in_ms");
		pack_int(&l.b, deadline_left(x->timer));
		key(&l.b, "every_ms");
		pack_int(&l.b, x->plan ? x->plan->period_ms : 0);
	}
	close_list(out, "timers", &l);
}

static void asks(const struct actor *a, struct buf *out)
{
	struct pending *p = a->pending;
	struct list l = { .n = 0 };

	for (uint32_t i = 1; p && i < p->size && l.n < SHOWN; i++) {
		struct wait *x = &p->wait[i];
		int64_t left = x->kind == WAIT_ASK ? ask_left(x) : 0;

		if (x->kind != WAIT_ASK)
			continue;
		l.n++;
		pack_map(&l.b, 4);
		pair(&l.b, "asked", title_of(x->from));
		pair(&l.b, "then", x->then);
		key(&l.b, "age_ms");
		pack_int(&l.b, x->ms - left);
		key(&l.b, "left_ms");
		pack_int(&l.b, left);
	}
	close_list(out, "waits_for", &l);
}

static void callers(const struct actor *a, struct buf *out)
{
	struct pending *p = a->pending;
	struct list l = { .n = 0 };

	for (uint32_t i = 1; p && i < p->size && l.n < SHOWN; i++)
		if (p->wait[i].kind == WAIT_CALLER) {
			l.n++;
			pack_text(&l.b, title_of(p->wait[i].from));
		}
	close_list(out, "keeps_waiting", &l);
}

static void children(const struct actor *a, struct buf *out)
{
	struct list l = { .n = 0 };

	for (struct actor *c = kin_child(a->kin ? a->kin->oldest : 0); c && l.n < SHOWN;
	     c = kin_child(c->younger))
		if (HEAD_TOP(LOAD_ACQUIRE(&c->head)) != TOP_DEAD && ++l.n)
			pack_text(&l.b, life_title(c));
	close_list(out, "children", &l);
}

static void ties(const struct actor *a, struct buf *out)
{
	struct list links = { .n = 0 }, mine = { .n = 0 }, of_me = { .n = 0 };
	struct kin *k = a->kin;

	for (uint32_t i = 0; k && i < k->link_count && links.n < SHOWN; i++, links.n++)
		pack_text(&links.b, title_of(k->links[i]));
	for (uint32_t i = 0; k && i < k->monitor_count && mine.n < SHOWN; i++, mine.n++)
		pack_text(&mine.b, title_of(k->monitors[i].whom));
	for (uint32_t i = 0; k && i < k->watcher_count && of_me.n < SHOWN; i++, of_me.n++)
		pack_text(&of_me.b, title_of(k->watchers[i].who));
	close_list(out, "links", &links);
	close_list(out, "monitors", &mine);
	close_list(out, "monitored_by", &of_me);
}

static void describe(struct actor *a, struct buf *out)
{
	size_t size = cell_type(a)->state;

	pack_map(out, 10);
	pair(out, "mode", a->pending ? a->pending->mode : NULL);
	children(a, out);
	ties(a, out);
	timers(a, out);
	asks(a, out);
	callers(a, out);
	key(out, "stash");
	pack_uint(out, a->pending ? a->pending->stash_n : 0);
	key(out, "state");
	pack_bytes(out, actor_state(a), size < STATE_MOST ? size : STATE_MOST);
}

void look_answer(struct worker *w, struct actor *a, const struct msg *m)
{
	struct buf b = { 0 };
	struct arg args[1];
	struct why why;

	describe(a, &b);
	if (args_of_packed(args, packed_of(&b), 1, &why) == 0)
		post_answer(w, m->from, m->corr, args, 1, 0, NULL);
	buf_fini(&b);
}
