/* SPDX-License-Identifier: MIT
 * send.c - sending.
 *
 * The ordinary path of a call site: look at the cell, compare what the site remembers with the
 * cell's type, fill a pooled message, one CAS. All else (strings, values to convert, proxies, first
 * calls) goes through send_args(), which is also how messages from outside come in. */
#include "send.h"

#include <sched.h>
#include <stdio.h>

#include "draft.h"
#include "full.h"
#include "kin.h"
#include "lease.h"
#include "trace.h"

static _Atomic uint64_t route;

enum { REF_NAME_BIT = 63 };

void core_set_route(actor_id proxy)
{
	STORE_RELEASE(&route, proxy);
}

int core_set_away(const char *name, actor_id proxy)
{
	struct name *n = name_of(name, strlen(name));

	if (!n)
		return ACTOR_ENOMEM;
	name_set_away(n, proxy);
	return 0;
}

static struct name *ref_name(actor_ref ref)
{
	return ref >> REF_NAME_BIT ? name_at((uint32_t)ref) : NULL;
}

bool core_away(actor_ref ref)
{
	struct name *n = ref_name(ref);

	return n && !name_bearer(n) && name_away(n);
}

void core_set_room(actor *self, uint32_t messages)
{
	STORE(&self->max_count, messages);
}

/* --- whom --------------------------------------------------------------------------------- */

actor_ref core_named(const struct name *n)
{
	return n ? 1ull << REF_NAME_BIT | name_index(n) : 0;
}

actor_ref actor_find(const char *name)
{
	return core_named(name ? name_asked(name, strlen(name)) : NULL);
}

static COLD int nobody(struct name *n, bool elsewhere, struct why *why)
{
	if (worker_self)
		worker_vain(worker_self, ACTOR_ENOENT);
	if (elsewhere)
		return why_set(why, ACTOR_ENOENT, "that sender is elsewhere and has no reference "
			       "here: answer it, or send to an actor by its name");
	if (!n)
		return why_set(why, ACTOR_ENOENT, "there is no such actor (any more)");
	return why_set(why, ACTOR_ENOENT, name_foreign(n) && !LOAD_ACQUIRE(&route)
	               ? "%s is a list of Redis, and there is no Redis"
	               : "there is no actor named %s here", name_text(n));
}

/* The bearer has ended, or is being born again, a few instructions later (life_renew()); 0: no. */
static COLD uint64_t next_bearer(const struct name *n, uint64_t before)
{
	uint64_t id = name_bearer(n);

	for (int looks = 0; id == before && looks < 100000; looks++) {
		if (looks > 1000)
			sched_yield();          /* whose few instructions they are has to run */
		id = name_bearer(n);
	}
	return id == before ? 0 : id;
}

/* By name: whoever bears it now. */
static int target_named(actor_ref to, struct target *t, struct why *why)
{
	struct name *n = ref_name(to);
	uint64_t id = n ? name_bearer(n) : 0;

	if (!id && n && name_foreign(n))        /* nobody bears such a name */
		id = LOAD_ACQUIRE(&route);
	if (unlikely(!id && n))
		id = name_away(n);
	while (id && target_find(id, t, NULL) < 0)
		id = next_bearer(n, id);
	if (!id)
		return nobody(n, false, why);
	t->name = name_text(n);
	return 0;
}

int target_find(actor_ref to, struct target *t, struct why *why)
{
	if (unlikely(to >> REF_NAME_BIT))
		return target_named(to, t, why);
	t->name = NULL;
	t->gen = (uint32_t)(to >> 32);
	t->cell = cell_at((uint32_t)to);
	if (unlikely(!t->gen || (uint32_t)to >= cell_limit ||
		     LOAD_ACQUIRE(&t->cell->gen) != t->gen))
		return nobody(NULL, false, why);
	return 0;
}

int target_spoken(actor_ref to, struct target *t, struct why *why)
{
	int rc = target_find(to, t, why);

	return !rc && !t->name && cell_type(t->cell)->by_name ? nobody(NULL, true, why) : rc;
}

int target_here(actor_ref to, struct target *t, struct why *why)
{
	return core_away(to) ? nobody(ref_name(to), false, why) : target_find(to, t, why);
}

/* --- pushing ------------------------------------------------------------------------------ */

static COLD int gone(struct worker *w, const struct actor *a, struct msg *m)
{
	message_free(&w->pool, m);
	return worker_vain(w, kin_refused(a, ACTOR_ENOENT));
}

/* Room is looked at as each message joins, so a mailbox is overdrawn by what others push meanwhile
 * at most. */
static int box_add(struct worker *w, struct actor *a, struct msg *m)
{
	uint64_t weight = HEAD_WEIGHT(msg_units(m)), h = LOAD(&a->head);

	if (!w->box.top)
		w->box.weight = 0;
	if (unlikely(HEAD_TOP(h) == TOP_DEAD))
		return gone(w, a, m);
	if (unlikely(!cell_room(a, h + w->box.weight, weight))) {
		if (w->box.top)
			post_box(w);
		return full_push(w, a, m);
	}
	post_join(w, a, m);
	return 0;
}

/* The room it takes was there when it was sent. */
static void leave(struct worker *w, struct actor *self, struct draft_item *i)
{
	enum push said = PUSH_DEAD;

	(void)self;
	if (w->box.top)
		post_box(w);
	if (HEAD_TOP(LOAD(&i->to->head)) != TOP_DEAD) {
		if (cell_type(i->to)->full != FULL_REFUSE) {
			send_push(w, i->to, i->m);
			return;
		}
		said = cell_push(i->to, msg_index(i->m), i->m, HEAD_WEIGHT(msg_units(i->m)),
				 ROOM_PROMISED);
	}
	post_pushed(w, i->to, said);
	if (said < PUSH_FULL)
		return;
	post_dead(w, i->to, i->m, said == PUSH_DEAD ? "the actor has just ended"
						    : "the mailbox is full");
	message_free(&w->pool, i->m);
}

static COLD int draft(struct worker *w, struct actor *a, struct msg *m)
{
	uint64_t h = LOAD(&a->head), weight = HEAD_WEIGHT(msg_units(m));

	if (HEAD_TOP(h) == TOP_DEAD)
		return gone(w, a, m);
	if (draft_full() || (cell_type(a)->full == FULL_REFUSE &&
			     !cell_room_behind(a, h, draft_weight(a), weight))) {
		COUNT_UP(&w->refused, 1);
		message_free(&w->pool, m);
		return worker_vain(w, kin_refused(a, ACTOR_EFULL));
	}
	draft_message(leave, a, m);
	return 0;
}

/* What a handler sends after another message: it may have to go behind that. True: it did, with
 * *rc. */
static bool joins(struct worker *w, struct actor *a, struct msg *m, int *rc)
{
	if (unlikely(draft_is_open(w))) {
		*rc = draft(w, a, m);
		return true;
	}
	if (w->hold_on == a) {                  /* behind what is kept back already */
		*rc = full_keep(w, a, m);
		return true;
	}
	if (a == w->last_to && a != LOAD(&w->actor) && likely(msg_units(m) <= BOX_UNITS)) {
		*rc = box_add(w, a, m);
		return true;
	}
	if (w->box.top)
		post_box(w);
	return false;
}

INLINE int push_now(struct worker *w, struct actor *a, struct msg *m, uint64_t weight)
{
	enum push said = cell_push(a, msg_index(m), m, weight, ROOM_LIMITED);

	if (unlikely(said >= PUSH_FULL))
		return said == PUSH_DEAD ? gone(w, a, m) : full_push(w, a, m);
	return post_pushed(w, a, said);
}

/* In a handler that has refused its message, or is traced; for a trace from outside; gathering. */
static COLD int push_seldom(struct worker *w, struct actor *a, struct msg *m)
{
	int rc;

	if (w->in_handler & IN_TRACE)
		m = trace_out(w, a, m);
	if (w->in_handler & IN_GATHERING) {
		if (w->box.top && w->box_to != a)
			post_box(w);
		rc = box_add(w, a, m);
	} else if (!(w->in_handler & IN_HANDLER)) {
		rc = push_now(w, a, m, HEAD_WEIGHT(msg_units(m)));
	} else if (!(a == w->last_to || w->box.top || w->hold_on) || !joins(w, a, m, &rc)) {
		w->last_to = a;
		rc = push_now(w, a, m, HEAD_WEIGHT(msg_units(m)));
	}
	if (rc < 0 && w->in_handler & IN_TRACE)
		trace_refused(w, rc);
	return rc;
}

/* The usual case of joins(): more of the same gather already, and it neither is the last of them
 * nor finds the mailbox full. (While they do, what is sent to a is not kept back.) */
INLINE bool joins_more(struct worker *w, struct actor *a, struct msg *m, uint64_t weight)
{
	uint64_t h = LOAD(&a->head), all = w->box.weight + weight;

	if (w->box_to != a || w->box.top < MSG_FIRST || HEAD_TOP(h) == TOP_DEAD ||
	    !cell_room(a, h, all) || HEAD_COUNT(all) >= BOX_MAX || HEAD_UNITS(all) >= BOX_UNITS)
		return false;
	m->next = w->box.top;
	w->box.top = msg_index(m);
	w->box.weight = all;
	COUNT_UP(&w->sent, 1);
	return true;
}

INLINE int push(struct worker *w, struct actor *a, struct msg *m, uint64_t weight)
{
	int rc;

	if (likely(w->in_handler == IN_HANDLER)) {
		if (unlikely(a == w->last_to || w->box.top || w->hold_on)) {
			if (joins_more(w, a, m, weight))
				return 0;
			if (joins(w, a, m, &rc))
				return rc;
		}
		w->last_to = a;
	} else if (unlikely(w->in_handler)) {
		return push_seldom(w, a, m);
	}
	return push_now(w, a, m, weight);
}

int send_push(struct worker *w, struct actor *a, struct msg *m)
{
	return push(w, a, m, HEAD_WEIGHT(msg_units(m)));
}

/* --- from values -------------------------------------------------------------------------- */

/* The handler in the table now, or -1 with why. A client is not told of what it may not call. */
static int find_handler(const struct type *type, const struct table *tab, const struct letter *l,
			struct why *why)
{
	int fn = table_find(tab, l->what, strlen(l->what));

	if (l->client && (fn < 0 || !(tab->entry[fn].flags & ON_CLIENT))) {
		why_set(why, ACTOR_ENOENT, "%s has no handler %.64s that clients may call",
			type_title(type), l->what);
		return -1;
	}
	if (fn < 0)
		table_missing(type, tab, l->what, why);
	return fn;
}

static COLD int no_message(const struct arg *args, unsigned n, const char *who, struct why *why)
{
	if (message_size(args, n) > MESSAGE_MAX)
		return why_set(why, ACTOR_EARGS, "%s: a message is at most 16 MiB", who);
	return why_set(why, ACTOR_ENOMEM, "%s: there is no memory for the message: try again later",
	               who);
}

/* In words, which nobody needs of what was sent: made for each message, they were a tenth of a
 * client's call. */
static COLD int not_sent(int rc, const struct target *t, const char *what,
			 const struct table *tab, int fn, struct arg *args, unsigned n,
			 struct why *why)
{
	const struct entry *e = &tab->entry[fn];
	char who[2 * NAME_MAX_LEN + 2];

	if (!why && rc != ACTOR_ENOMEM)
		return rc;
	if (why == &kin_why && (rc == ACTOR_EFULL || rc == ACTOR_ENOENT))
		return rc;                      /* it is noted */
	snprintf(who, sizeof who, "%s.%s", t->name && *t->name ? t->name :
		 type_title(LOAD_ACQUIRE(&t->cell->type)), what);
	switch (rc) {
	case ACTOR_EARGS: return args_fit(args, n, signature_get(e->sig), who, e->args, why);
	case ACTOR_ENOMEM: return no_message(args, n, who, why);
	case ACTOR_EFULL: return full_why(t->cell, who, why);
	default: return why_set(why, rc, "%s: the actor has just ended", who);
	}
}

static void address(struct msg *m, const struct letter *l)
{
	m->from = l->from;
	m->corr = l->corr;
	m->flags |= (uint8_t)(l->origin << MSG_ORIGIN_SHIFT);
	if (unlikely(l->lease)) {
		m->corr = lease_corr(l->lease, l->corr, !l->follows);
		m->flags |= MSG_LEASED;
	}
}

static COLD int proxy_full(const struct target *t, const char *what, struct why *why)
{
	char who[2 * NAME_MAX_LEN + 2];

	snprintf(who, sizeof who, "%s.%s", t->name && *t->name ? t->name :
		 type_title(LOAD(&t->cell->type)), what);
	return full_why(t->cell, who, why);
}

/* To somebody who is no actor: to:str what:str, then the values. */
static int send_proxy(struct worker *w, const struct letter *l, const struct target *t,
		      struct arg *args, unsigned n, struct why *why)
{
	struct arg all[VALUES_MAX];
	struct msg *m;
	int rc;

	if (n + 2 > VALUES_MAX)
		return why_set(why, ACTOR_EARGS, "%u values: at most %d go out, put them in a list",
			       n, VALUES_MAX - 2);
	all[0] = (struct arg){ .type = VALUE_STR, .p = t->name ? t->name : "",
	                       .len = t->name ? (uint32_t)strlen(t->name) : 0 };
	all[1] = (struct arg){ .type = VALUE_STR, .p = l->what, .len = (uint32_t)strlen(l->what) };
	memcpy(all + 2, args, n * sizeof *args);
	m = message_make(&w->pool, all, n + 2);
	if (!m)
		return no_message(all, n + 2, l->what, why);
	m->fn = l->client;              /* the first handler, or the second */
	m->sig = type_table(LOAD(&t->cell->type))->entry[0].sig;
	m->gen = t->gen;
	address(m, l);
	rc = send_push(w, t->cell, m);
	return rc == ACTOR_EFULL && why ? proxy_full(t, l->what, why) : rc;
}

int send_prepare(struct worker *w, struct actor *a, const char *what, struct arg *args, unsigned n,
		 struct why *why, struct msg **out)
{
	struct type *type = cell_type(a);
	struct table *tab = type_table(type);
	struct letter l = { .what = what };
	struct target t = { .cell = a };
	int fn = find_handler(type, tab, &l, why), rc;
	struct msg *m;

	if (fn < 0)
		return ACTOR_ENOENT;
	rc = args_fit(args, n, signature_get(tab->entry[fn].sig), "", tab->entry[fn].args, NULL);
	m = rc < 0 ? NULL : message_make(&w->pool, args, n);
	if (!m)
		return not_sent(rc < 0 ? rc : ACTOR_ENOMEM, &t, what, tab, fn, args, n, why);
	m->fn = (uint16_t)fn;
	m->sig = tab->entry[fn].sig;
	m->gen = LOAD(&a->gen);
	m->from = cell_id(a);
	m->corr = 0;
	m->flags |= (uint8_t)(w->origin << MSG_ORIGIN_SHIFT);
	*out = m;
	return 0;
}

int send_args(struct worker *w, const struct letter *l, struct arg *args, unsigned n,
	      struct why *why)
{
	struct target t;
	struct type *type;
	struct table *tab;
	struct msg *m;
	int fn, rc = target_spoken(l->to, &t, why);

	if (rc < 0)
		return rc;
	type = LOAD_ACQUIRE(&t.cell->type);
	tab = type_table(type);
	if (type->proxy && l->client && !type->clients)
		return why_set(why, ACTOR_ENOENT, "%s has no handlers that clients may call",
			       type_title(type));
	if (type->proxy)
		return send_proxy(w, l, &t, args, n, why);
	fn = find_handler(type, tab, l, why);
	if (fn < 0)
		return ACTOR_ENOENT;
	rc = args_fit(args, n, signature_get(tab->entry[fn].sig), "", tab->entry[fn].args, NULL);
	if (!rc && full_spares(w, t.cell, message_size(args, n), l->corr, &rc))
		return rc < 0 ? not_sent(rc, &t, l->what, tab, fn, args, n, why) : 0;
	m = rc < 0 ? NULL : message_make(&w->pool, args, n);
	if (!m)
		return not_sent(rc < 0 ? rc : ACTOR_ENOMEM, &t, l->what, tab, fn, args, n, why);
	m->fn = (uint16_t)fn;
	m->sig = tab->entry[fn].sig;
	m->gen = t.gen;
	address(m, l);
	rc = send_push(w, t.cell, m);
	return rc < 0 ? not_sent(rc, &t, l->what, tab, fn, args, n, why) : 0;
}

/* --- from a call site --------------------------------------------------------------------- */

/* What a site remembers: bound is type:16 | 1:16 | sig:16 | fn:16, tags the types:16 | n:8, and
 * only when the values can go into the slots as they are. Any thread may write it; for one type all
 * write the same, and tags is always the same. */
static uint64_t site_bound(struct actor_site *s)
{
	return LOAD_ACQUIRE((_Atomic uint64_t *)&s->bound);     /* partner: site_bind() */
}

static unsigned site_tags(const char *types, int n)
{
	unsigned tags = 0;

	for (int i = 0; i < n; i++)
		tags |= (unsigned)(types[i] == 'd'   ? VALUE_NUM
				   : types[i] == 'b' ? VALUE_BOOL
						     : VALUE_INT)
			<< 4 * i;
	return tags << 8 | (unsigned)n;
}

/* The words between `from` and `corr` as one, whose parts lie as in struct msg. */
INLINE void site_head(struct msg *m, struct actor_site *s, uint64_t bound, uint8_t origin)
{
	uint64_t head = (uint32_t)bound | (uint64_t)origin << (32 + MSG_ORIGIN_SHIFT) |
			(uint64_t)LOAD((_Atomic unsigned *)&s->tags) << 40;

	_Static_assert(offsetof(struct msg, sig) == 18 && offsetof(struct msg, flags) == 20 &&
		       offsetof(struct msg, n) == 21 && offsetof(struct msg, types) == 22, "");
	memcpy((char *)m + offsetof(struct msg, fn), &head, sizeof head);
}

/* Remembers what the site resolves to, if its values are plain: no text, none to convert. */
static COLD void site_bind(struct actor_site *s, const struct actor *a, const char *what)
{
	struct type *type = cell_type(a);
	struct table *tab = type_table(type);
	int fn = type->proxy ? -1 : table_find(tab, what, strlen(what));
	const struct signature *sig = fn < 0 ? NULL : signature_get(tab->entry[fn].sig);

	if (!sig || s->n > SLOTS_INLINE || s->n < sig->min || (s->n > sig->max && !sig->rest))
		return;
	for (int i = 0; i < s->n; i++) {
		enum param_type want = i < sig->max ? (enum param_type)sig->type[i] : PARAM_ANY;
		char is = s->types[i];

		if (is == 's' || is == 'u' ||
		    (want != PARAM_ANY && want != (is == 'd'   ? PARAM_NUM
						   : is == 'b' ? PARAM_BOOL
							       : PARAM_INT)))
			return;
	}
	STORE((_Atomic unsigned *)&s->tags, site_tags(s->types, s->n));
	STORE_RELEASE((_Atomic uint64_t *)&s->bound,            /* partner: site_bound() */
		      (uint64_t)type->id << 48 | 1ull << 32 |
		      (uint64_t)tab->entry[fn].sig << 16 | (uint64_t)fn);
}

static COLD int send_site_slow(struct worker *w, actor_ref to, const char *what, uint64_t from,
			       uint64_t corr, struct actor_site *s, const uint64_t *values)
{
	struct letter l = {.to = to, .what = what, .from = from, .corr = corr, .origin = w->origin};
	struct arg args[16];
	struct target t;

	args_of_site(args, s->types, values, s->n);
	if (!strpbrk(s->types, "su") && !target_find(to, &t, NULL))
		site_bind(s, t.cell, what);
	return send_args(w, &l, args, (unsigned)s->n, &kin_why);
}

/* from, corr: as in a letter, which only the slow way needs. */
INLINE int site(struct worker *w, actor_ref to, const char *what, uint64_t from, uint64_t corr,
                struct actor_site *s, const uint64_t *values)
{
	uint64_t bound = site_bound(s);
	uint32_t gen = (uint32_t)(to >> 32);
	struct actor *a = cell_at((uint32_t)to);
	struct msg *m;

	if (unlikely(!bound))
		return send_site_slow(w, to, what, from, corr, s, values);
	/* No cell has the generation of a name, and one that was never used (0) has no type. */
	if (unlikely((uint32_t)to >= cell_limit || LOAD_ACQUIRE(&a->gen) != gen)) {
		struct target t;

		if (target_find(to, &t, &kin_why) < 0)
			return ACTOR_ENOENT;
		a = t.cell;
		gen = t.gen;
	}
	if (unlikely(bound >> 48 != LOAD(&a->type_id)))
		return send_site_slow(w, to, what, from, corr, s, values);
	m = message_new(&w->pool, 0);
	site_head(m, s, bound, w->origin);
	m->gen = gen;
	m->from = from;
	m->corr = corr;
	for (int i = 0; i < s->n; i++)
		m->slot[i] = values[i];
	return push(w, a, m, HEAD_WEIGHT(1));
}

int send_site(struct worker *w, actor_ref to, const char *what, uint64_t from, uint64_t corr,
              struct actor_site *s, const uint64_t *values)
{
	return site(w, to, what, from, corr, s, values);
}

static COLD int send_outside(actor *self, actor_ref to, const char *what, struct actor_site *s,
			     const uint64_t *values)
{
	struct worker *w = worker_acquire();
	int rc = send_site(w, to, what, self ? cell_id(self) : 0, 0, s, values);

	worker_release(w);
	return rc;
}

int actor_send_(actor *self, actor_ref to, const char *what, struct actor_site *s,
		const uint64_t *values)
{
	struct worker *w = worker_self;

	if (unlikely(!w || !w->depth || !self))
		return send_outside(self, to, what, s, values);
	return site(w, to, what, cell_id(self), 0, s, values);
}

/* --- from packed values ------------------------------------------------------------------- */

int send_packed(struct worker *w, const struct letter *l, struct packed in, unsigned count,
		struct why *why)
{
	struct arg args[VALUES_MAX];
	int rc = args_of_packed(args, in, count, why);

	return rc < 0 ? rc : send_args(w, l, args, count, why);
}

int core_send(actor *self, const struct call *c, struct why *why)
{
	struct worker *w = worker_acquire();
	struct letter l = { .to = c->to, .what = c->what, .from = self ? cell_id(self) : 0,
	                    .origin = (uint8_t)c->origin, .client = c->client };
	int rc = send_packed(w, &l, c->args, c->count, why);

	worker_release(w);
	return rc;
}
