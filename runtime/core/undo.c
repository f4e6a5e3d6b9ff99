/* SPDX-License-Identifier: MIT
 * undo.c - the way back of what a handler on probation did to its own actor.
 *
 * Two kinds. What only its owner sees is done at once, with an item that undoes it: questions,
 * timers, callers, modes, stashes, monitors, links, joining. What takes something away that may be
 * needed again waits until the handler has returned: cancelling, unstashing, demonitoring. What
 * goes to others by these is a message or an order, and kept back where all are (draft.h). */
#include "undo.h"

#include <stdarg.h>
#include <stdio.h>

#include "alarm.h"
#include "draft.h"
#include "group.h"
#include "keep.h"
#include "mode.h"
#include "saves.h"
#include "supervise.h"

enum { TEXT_MAX = 8192 };

static bool drafting(void)
{
	return worker_self && draft_is_open(worker_self);
}

static void note(draft_fn *undo, int64_t number)
{
	draft_add(NULL, undo)->number = number;
}

/* --- what it waits for -------------------------------------------------------------------- */

static void forget(actor *self, int64_t number, enum wait_kind kind)
{
	struct wait *x = ask_find(self, number, kind);

	if (x)
		ask_done(self, x);
}

static void forget_caller(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	forget(self, i->number, WAIT_CALLER);
}

static void forget_question(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	forget(self, i->number, WAIT_ASK);
}

static void cancel(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	actor_cancel(self, i->number);
}

msg_caller undo_defer(const msg *m)
{
	msg_caller n = msg_defer(m);

	if (n && drafting())
		note(forget_caller, (int64_t)n);
	return n;
}

int64_t undo_asked(actor *self, int64_t number)
{
	(void)self;
	if (number > 0 && drafting())
		note(forget_question, number);
	return number;
}

int64_t undo_timed(actor *self, int64_t number)
{
	(void)self;
	if (number > 0 && drafting())
		note(cancel, number);
	return number;
}

int undo_cancel(actor *self, int64_t timer)
{
	if (!drafting())
		return actor_cancel(self, timer);
	if (!ask_find(self, timer, WAIT_TIMER) || draft_has(cancel, timer))
		return ACTOR_ENOENT;
	draft_add(cancel, NULL)->number = timer;
	return 0;
}

/* The caller's place is taken out of the free ones again. */
static void keep_caller(struct worker *w, actor *self, struct draft_item *i)
{
	struct pending *p = self->pending;
	const struct wait *x = i->kept;
	uint32_t place = (uint32_t)x->number & 0xffff, *at = &p->free;

	(void)w;
	while (*at && *at != place)
		at = &p->wait[*at].next_free;
	if (!*at)
		return;
	*at = p->wait[place].next_free;
	p->wait[place] = *x;
}

/* Before an answer; after it the item is noted, if it went. */
static struct wait *copy_caller(actor *self, msg_caller to)
{
	struct wait *x = drafting() ? ask_find(self, (int64_t)to, WAIT_CALLER) : NULL;
	struct wait *copy = x ? mem_alloc(sizeof *copy) : NULL;

	if (x)
		*copy = *x;
	return copy;
}

static int answered(actor *self, msg_caller to, struct wait *copy, int rc)
{
	if (copy && !ask_find(self, (int64_t)to, WAIT_CALLER))
		draft_add(NULL, keep_caller)->kept = copy;
	else
		mem_free(copy);
	return rc;
}

int undo_answer(actor *self, msg_caller to, const struct actor_site *s, const uint64_t *values)
{
	struct wait *copy = copy_caller(self, to);

	return answered(self, to, copy, actor_answer_(self, to, s, values));
}

int undo_answer_out(actor *self, msg_caller to, msg_out *o)
{
	struct wait *copy = copy_caller(self, to);

	return answered(self, to, copy, actor_answer_out(self, to, o));
}

int undo_refuse(actor *self, msg_caller to, int code, const char *fmt, ...)
{
	struct wait *copy = copy_caller(self, to);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return answered(self, to, copy, actor_refuse_as(self, to, code, "%s", text));
}

/* --- its mode, its stash ------------------------------------------------------------------ */

static void become_again(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	self->pending->mode = i->text[0];
	STORE(&self->started, (uint8_t)i->number);
}

int undo_become(actor *self, const char *mode)
{
	const char *before = self->pending ? self->pending->mode : NULL;
	uint8_t started = LOAD(&self->started);
	int rc = actor_become(self, mode);
	struct draft_item *i;

	if (!rc && drafting()) {
		i = draft_add(NULL, become_again);
		i->text[0] = before;
		i->number = started;
	}
	return rc;
}

/* The newest one. chain[0]: the one before it. */
static void unstash_last(struct worker *w, actor *self, struct draft_item *i)
{
	struct pending *p = self->pending;
	struct msg *m = msg_at(p->stash_last);

	p->stash_n--;
	p->stash_units -= msg_units(m);
	p->stash_last = i->chain[0];
	if (p->stash_n)
		msg_at(p->stash_last)->next = 0;
	else
		p->stash_first = 0;
	message_free(&w->pool, m);
	COUNT_UP(&w->sent, (uint64_t)-1);
}

int undo_stash(actor *self, const msg *m)
{
	uint32_t last = self->pending ? self->pending->stash_last : 0;
	int rc = actor_stash(self, m);

	if (!rc && drafting())
		draft_add(NULL, unstash_last)->chain[0] = last;
	return rc;
}

static void swap_stash(struct pending *p, uint32_t c[4])
{
	uint32_t is[4] = { p->stash_first, p->stash_last, p->stash_n, p->stash_units };

	p->stash_first = c[0];
	p->stash_last = c[1];
	p->stash_n = c[2];
	p->stash_units = c[3];
	memcpy(c, is, sizeof is);
}

static void stash_again(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	swap_stash(self->pending, i->chain);
}

static void unstash(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	swap_stash(self->pending, i->chain);
	actor_unstash(self);
	swap_stash(self->pending, i->chain);
}

int undo_unstash(actor *self)
{
	struct draft_item *i;

	if (!drafting())
		return actor_unstash(self);
	i = draft_add(unstash, stash_again);
	swap_stash(ask_pending(self), i->chain);
	return (int)i->chain[2];
}

/* --- groups ------------------------------------------------------------------------------- */

/* text: the group, the handler that was its member there before, or NULL. */
static void member_again(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	if (i->text[1])
		actor_join(self, i->text[0], i->text[1]);
	else
		actor_leave(self, i->text[0]);
}

static int changed(int rc, const char *group, const char *before)
{
	struct draft_item *i;

	if (!rc && drafting()) {
		i = draft_add(NULL, member_again);
		i->text[0] = name_text(name_of(group, strlen(group)));
		i->text[1] = before;
	}
	return rc;
}

int undo_join(actor *self, const char *group, const char *then)
{
	const char *before = drafting() ? group_then(self, group) : NULL;

	return changed(actor_join(self, group, then), group, before);
}

int undo_leave(actor *self, const char *group)
{
	const char *before = drafting() ? group_then(self, group) : NULL;

	return changed(actor_leave(self, group), group, before);
}

/* --- ties --------------------------------------------------------------------------------- */

static void demonitor(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	actor_demonitor(self, i->number);
}

static void link_again(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	actor_link(self, (actor_ref)i->number);
}

static void unlink_again(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	actor_unlink(self, (actor_ref)i->number);
}

int64_t undo_monitor(actor *self, actor_ref who, const char *then)
{
	int64_t n = actor_monitor(self, who, then);

	if (n > 0 && drafting())
		note(demonitor, n);
	return n;
}

static bool monitors(const actor *self, int64_t number)
{
	for (uint32_t i = 0; self->kin && i < self->kin->monitor_count; i++)
		if (self->kin->monitors[i].number == number)
			return true;
	return false;
}

int undo_demonitor(actor *self, int64_t number)
{
	if (!drafting())
		return actor_demonitor(self, number);
	if (!monitors(self, number) || draft_has(demonitor, number))
		return ACTOR_ENOENT;
	draft_add(demonitor, NULL)->number = number;
	return 0;
}

static uint32_t links(const actor *self)
{
	return self->kin ? self->kin->link_count : 0;
}

int undo_link(actor *self, actor_ref with)
{
	uint32_t before = links(self);
	int rc = actor_link(self, with);

	if (drafting() && links(self) > before)
		note(unlink_again, (int64_t)with);
	return rc;
}

int undo_unlink(actor *self, actor_ref with)
{
	uint32_t before = links(self);
	int rc = actor_unlink(self, with);

	if (drafting() && links(self) < before)
		note(link_again, (int64_t)with);
	return rc;
}

/* --- memory ------------------------------------------------------------------------------- */

static void give_back(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w;
	actor_free(self, (void *)(uintptr_t)i->number);
}

void *undo_alloc(actor *self, size_t size)
{
	void *p = actor_alloc(self, size);

	if (p && drafting())
		note(give_back, (int64_t)(uintptr_t)p);
	return p;
}

void undo_free(actor *self, void *p)
{
	if (drafting())
		draft_add(give_back, NULL)->number = (int64_t)(uintptr_t)p;
	else
		actor_free(self, p);
}

bool undo_may_free(const void *p)
{
	return memory_is(p) && !(drafting() && draft_has(give_back, (int64_t)(uintptr_t)p));
}

/* --- what clients keep ---------------------------------------------------------------------- */

/* As it was before: of an addition its opposite, as others may have added meanwhile. */
struct was {
	actor_ref who;
	enum client_keep keep;
	bool added;
	int64_t by;
	struct buf value;               /* packed; empty: there was none */
	char key[KEEP_KEY_MOST + 1];
};

static struct was *was_new(actor_ref who, enum client_keep keep, const char *key)
{
	struct was *x = mem_alloc(sizeof *x);

	x->who = who;
	x->keep = keep;
	strncpy(x->key, key, KEEP_KEY_MOST);
	return x;
}

static void read_value(struct was *x)
{
	char *text = mem_alloc(KEEP_VALUE_MOST + 1);
	struct value v = keep_look(x->who, x->keep, x->key, text, KEEP_VALUE_MOST + 1);

	switch (v.type) {
	case VALUE_INT:  pack_int(&x->value, v.i); break;
	case VALUE_UINT: pack_uint(&x->value, (uint64_t)v.i); break;
	case VALUE_BOOL: pack_bool(&x->value, v.i != 0); break;
	case VALUE_NUM:  pack_num(&x->value, v.num); break;
	case VALUE_STR:  pack_str(&x->value, text, v.len); break;
	default:         break;
	}
	mem_free(text);
}

/* The words to the store and to Redis are drafts, and go the same way. */
static void keep_again(struct worker *w, actor *self, struct draft_item *i)
{
	struct was *x = i->kept;
	struct packed old = { NULL, NULL };
	struct keep_task t = { .user = "" };
	int64_t sum;

	(void)w, (void)self;
	if (x->value.len)
		old = packed_of(&x->value);
	if (x->added)
		keep_add(x->who, x->keep, x->key, -x->by, &sum, &t);
	else
		keep_write(x->who, x->keep, x->key, old, &t);
	if (*t.user && (x->keep == KEEP_LOCAL || x->keep == KEEP_TODAY))
		saves_later(t.user);
	buf_fini(&x->value);
}

static void was_drop(struct worker *w, actor *self, struct draft_item *i)
{
	(void)w, (void)self;
	buf_fini(&((struct was *)i->kept)->value);
}

static int kept(struct was *x, int rc)
{
	if (x && !rc) {
		draft_add(was_drop, keep_again)->kept = x;
	} else if (x) {
		buf_fini(&x->value);
		mem_free(x);
	}
	return rc;
}

/* NULL: no draft is open. */
static struct was *before(actor_ref who, enum client_keep keep, const char *key)
{
	struct was *x = drafting() && keep <= KEEP_TODAY ? was_new(who, keep, key) : NULL;

	if (x)
		read_value(x);
	return x;
}

int undo_client_set(actor *self, actor_ref who, enum client_keep keep, const char *key,
		    const struct actor_site *s, const uint64_t *values)
{
	struct was *x = before(who, keep, key);

	return kept(x, client_set_(self, who, keep, key, s, values));
}

int undo_client_drop(actor *self, actor_ref who, enum client_keep keep, const char *key)
{
	struct was *x = before(who, keep, key);

	return kept(x, client_drop(self, who, keep, key));
}

/* What was not there before goes again: an addition to nothing is undone as a setting. */
int undo_client_add(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
		    int64_t *total)
{
	struct was *x = before(who, keep, key);

	if (x && x->value.len) {
		x->added = true;
		x->by = by;
	}
	return kept(x, client_add(self, who, keep, key, by, total));
}

/* --- births ------------------------------------------------------------------------------- */

actor_ref undo_spawn(actor *self, const void *type, int by_name, const char *name,
		     const struct actor_site *s, const uint64_t *values)
{
	if (drafting() && draft_full()) {
		why_set(&kin_why, ACTOR_ENOMEM,
			"on probation one message leads to %d messages and births at most",
			DRAFT_ITEMS);
		return 0;
	}
	return actor_spawn_(self, type, by_name, name, s, values);
}
