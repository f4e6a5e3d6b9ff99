/* SPDX-License-Identifier: MIT
 * revert.c - earlier code in force again.
 *
 * Superseded code is not kept in memory: what is needed again is compiled again from the journal.
 * Patches of one handler are taken back newest first, so what a handler was before a patch is what
 * the patch found when it came, but for patches that have been left out since.
 *
 * After a restart only what is on top is compiled: for each handler the newest patch that is
 * neither taken back, nor suspect, nor made for another build of the type. */
#include "revert.h"

#include <stdio.h>
#include <stdlib.h>

#include "builds.h"
#include "journal.h"
#include "log.h"
#include "watched.h"

/* --- taking back -------------------------------------------------------------------------- */

struct revert {
	uint32_t number;
	bool itself;                    /* what is superseded is passed over */
	bool lose;                      /* also what there is no way back for */
	bool restored;
	struct why *why;
	int rc;
	struct back *back;              /* the names are interned */
	struct before now;              /* what each will be */
	int n;
	struct made *made;              /* of earlier patches that are compiled again */
	struct patch_kept *kept;
	struct probation **trying;      /* of those that were not confirmed */
	uint32_t *made_number;
	int made_count;
};

struct look { const struct one *one; struct handler_info info; bool found; };

static void look_at(void *arg, const struct handler_info *h)
{
	struct look *l = arg;

	if (!strcmp(h->name, l->one->name)) {
		l->info = *h;
		l->found = true;
	}
}

struct find { const struct one *wanted; int64_t was; };

static bool find_was(void *arg, const struct one *one)
{
	struct find *f = arg;

	if (strcmp(one->type_name, f->wanted->type_name) != 0 || strcmp(one->name,
	                                                                f->wanted->name) != 0)
		return true;
	f->was = one->was;
	return false;
}

/* What the handler was before, passing over what has been left out since. */
static int before(const struct one *one, int64_t *was, struct why *why)
{
	*was = one->was;
	while (*was > 0 && history_state((uint32_t)*was) != PATCH_APPLIED) {
		struct find f = { one, -1 };
		struct walk w = { NULL, find_was, &f };
		struct patch_kept k;
		int rc = history_read((uint32_t)*was, &k, why);

		if (rc < 0)
			return rc;
		kept_walk(&w, k.on);
		kept_free(&k);
		*was = f.was;
	}
	return 0;
}

/* On probation anew, unless it was confirmed before. */
static struct probation *try_again(uint32_t number, const struct made *m,
                                   const struct patch_kept *k)
{
	if (history_is_confirmed(number))
		return NULL;
	return watched_begin(k->source.probation, m->code, number, m->e.change, m->e.n);
}

static void tried(uint32_t number, struct probation *p, bool in_force)
{
	if (!p)
		return;
	if (in_force) {
		history_tried(number, true);
		watched_add(number, p);
	} else {
		probation_end(p, false);
	}
}

/* Compiled once, however many handlers it has. */
static struct made *earlier(struct revert *r, uint32_t number)
{
	struct buf said = { 0 };
	int i = 0;

	while (i < r->made_count && r->made_number[i] != number)
		i++;
	if (i < r->made_count)
		return &r->made[i];
	r->rc = history_read(number, &r->kept[i], r->why);
	if (r->rc < 0)
		return NULL;
	r->rc = made_from(&r->made[i], &r->kept[i].source, NULL, &said);
	if (r->rc < 0) {
		why_set(r->why, r->rc,
		        "patch %u, which was in force before, does not compile any more: %.*s",
		        number, (int)said.len, said.p);
		kept_free(&r->kept[i]);
	} else {
		r->trying[i] = try_again(number, &r->made[i], &r->kept[i]);
		r->made_number[r->made_count++] = number;
	}
	buf_fini(&said);
	return r->rc < 0 ? NULL : &r->made[i];
}

static void make_room(struct revert *r)
{
	r->back = mem_resize(r->back, ((size_t)r->n + 1) * sizeof *r->back);
}

static void note_was(struct before *now, int64_t was)
{
	now->was = mem_resize(now->was, (now->n + 1) * sizeof *now->was);
	now->was[now->n++] = was;
}

static int superseded(const struct revert *r, const char *type, const char *name, uint32_t by)
{
	return why_set(r->why, ACTOR_EFAIL,
	               "patch %u is superseded: %s.%s is patch %u's by now, which has to be "
	               "reverted first: actorctl patch revert %u", r->number, name_title(type),
	               name, by, by);
}

/* --- a migration -------------------------------------------------------------------------- */

struct newest { uint32_t number, other; const char *name; };

static void find_newer(void *arg, const struct handler_info *h)
{
	struct newest *n = arg;

	if (h->version != n->number) {
		n->other = h->version;
		n->name = h->name;
	}
}

static int no_way_back(const struct revert *r, struct type *type)
{
	const char *layout = builds_layout(type);
	struct buf lost = { 0 };

	layout_names(layout ? layout : "", &lost);
	why_set(r->why, ACTOR_EFAIL,
	        "patch %u has no migrate_back for %s: each would lose its state (%.*s, %zu bytes) "
	        "and begin anew; where that may be, add --lose-changes",
	        r->number, name_title(type_name(type)), (int)lost.len, lost.len ? lost.p : "",
	        type_state(type));
	buf_fini(&lost);
	return ACTOR_EFAIL;
}

/* May its actors have the state again that they had before? */
static int hold_type(const struct revert *r, struct type *type)
{
	struct newest newest = { r->number, 0, NULL };

	if (!core_before(type))
		return why_set(r->why, ACTOR_EFAIL, "patch %u: %s has the state that it began with",
		               r->number, name_title(type_name(type)));
	core_handlers(type, find_newer, &newest);
	if (newest.name)
		return superseded(r, type_name(type), newest.name, newest.other);
	return core_can_go_back(type) || r->lose ? 0 : no_way_back(r, type);
}

/* As a whole, with the first of its handlers; what each of them is then is asked when it is so. */
static bool take_type_back(struct revert *r, const struct one *one)
{
	struct back b = { .type = one->type };

	if (r->n && r->back[r->n - 1].type == one->type)
		return true;
	if (!one->type)
		r->rc = why_set(r->why, ACTOR_EFAIL, "patch %u: its actor type %s is not here",
		                r->number, one->type_name);
	else
		r->rc = hold_type(r, one->type);
	if (r->rc < 0)
		return false;
	b.lose = !core_can_go_back(one->type);
	make_room(r);
	r->back[r->n++] = b;
	return true;
}

static bool note_now(void *arg, const struct one *one)
{
	struct revert *r = arg;
	struct look l = { .one = one };

	if (!one->migrates)
		return true;
	core_handlers(one->type, look_at, &l);
	note_was(&r->now, l.found ? (int64_t)l.info.version : -1);
	return true;
}

/* After it: the types that follow are of the same builds. */
static void types_moved(const struct revert *r)
{
	for (int i = 0; i < r->n; i++) {
		struct type *type = r->back[i].type, *old = core_before(type);

		if (!r->back[i].name)
			builds_moved(core_type(type_name(type)), old, builds_layout(old));
	}
}

/* --- a handler ---------------------------------------------------------------------------- */

/* What it was: part of the program, or of a patch that is compiled again. */
static bool find_earlier(struct revert *r, const struct one *one, int64_t was, struct back *b)
{
	struct made *m;

	if (was <= 0)
		return true;
	m = earlier(r, (uint32_t)was);
	if (!m)
		return false;
	b->on = made_handler(m, one->type, one->name);
	if (!b->on)
		r->rc = why_set(r->why, ACTOR_EFAIL, "patch %u has no %s.%s any more",
		                (uint32_t)was, one->type_name, one->name);
	b->version = (uint32_t)was;
	b->code = m->code;
	return b->on;
}

static bool take_back(void *arg, const struct one *one)
{
	struct revert *r = arg;
	struct look l = { .one = one };
	struct back b = { .type = one->type };
	int64_t was;

	if (one->migrates)
		return take_type_back(r, one);
	if (one->type)
		core_handlers(one->type, look_at, &l);
	if (r->itself && (!l.found || l.info.version != r->number))
		return true;
	if (!l.found || l.info.version != r->number) {
		r->rc = superseded(r, one->type_name, one->name, l.found ? l.info.version : 0);
		return false;
	}
	b.name = l.info.name;
	r->rc = before(one, &was, r->why);
	if (r->rc < 0 || !find_earlier(r, one, was, &b))
		return false;
	make_room(r);
	note_was(&r->now, was);
	r->back[r->n++] = b;
	return true;
}

static void revert_fini(struct revert *r)
{
	for (int i = 0; i < r->made_count; i++) {
		tried(r->made_number[i], r->trying[i], r->restored);
		made_drop(&r->made[i]);
		kept_free(&r->kept[i]);
	}
	mem_free(r->made);
	mem_free(r->kept);
	mem_free(r->trying);
	mem_free(r->made_number);
	mem_free(r->back);
	mem_free(r->now.was);
}

static bool count_one(void *arg, const struct one *one)
{
	(void)one;
	++*(size_t *)arg;
	return true;
}

/* Who takes it back. of: it failed this, and is taken back by itself: then nobody waits for the
 * disk before the old code is in force, and after a crash in between it only fails once more. */
struct taking { uint32_t number; const struct patch_source *who; bool lose; struct probation *of; };

static int in_force_again(const struct taking *t, const struct back *b, int n, struct why *why)
{
	struct why unsaid;
	int rc = t->of ? 0
		       : history_reverting(t->number, t->who->author, t->who->origin, why);

	if (rc)
		return rc;
	rc = core_restore(b, n, why);
	if (rc && !t->of)
		history_done(t->number, true, why->text);
	if (rc || !t->of)
		return rc;
	probation_end(t->of, true);
	if (history_reverting(t->number, t->who->author, t->who->origin, &unsaid) < 0)
		log_line(LOG_ERROR, "patch",
			 "%u is taken back, but the journal does not say so: %s", t->number,
			 unsaid.text);
	return 0;
}

static void all_room(struct revert *r, size_t n)
{
	r->made = mem_alloc((n + 1) * sizeof *r->made);
	r->kept = mem_alloc((n + 1) * sizeof *r->kept);
	r->made_number = mem_alloc((n + 1) * sizeof *r->made_number);
	r->trying = mem_alloc((n + 1) * sizeof *r->trying);
}

static int take_all_back(const struct taking *t, struct why *why)
{
	uint32_t number = t->number;
	struct revert r = { .number = number, .itself = t->of != NULL, .lose = t->lose,
	                    .why = why };
	struct walk w = { NULL, take_back, &r };
	struct patch_kept k;
	size_t n = 0;

	r.rc = history_read(number, &k, why);
	if (r.rc < 0)
		return r.rc;
	kept_walk(&(struct walk){ NULL, count_one, &n }, k.on);
	all_room(&r, n);
	if (!kept_walk(&w, k.on) && !r.rc)
		r.rc = why_set(why, ACTOR_EFAIL,
		               "patch %u: its line of the journal is no such line", number);
	if (!r.rc)
		r.rc = in_force_again(t, r.back, r.n, why);
	r.restored = !r.rc;
	if (r.restored) {
		types_moved(&r);
		kept_walk(&(struct walk){ NULL, note_now, &r }, k.on);
		history_reverted(number, &r.now);
	}
	kept_free(&k);
	revert_fini(&r);
	return r.rc;
}

int revert_patch(uint32_t number, const struct patch_source *who, bool lose, struct why *why)
{
	int rc;

	if (!number)
		return why_set(why, ACTOR_ENOENT,
		               "0 is what the node started with: there is nothing before it; "
		               "`actorctl patch list` shows the patches");
	switch (history_state(number)) {
	case PATCH_NONE:
		return why_set(why, ACTOR_ENOENT, "there is no patch %u, the newest is %u: see "
		               "actorctl patch list", number, history_last());
	case PATCH_REVERTED:
		return why_set(why, ACTOR_EFAIL, "patch %u has been reverted already: `actorctl "
		               "patch log` says when and by whom", number);
	case PATCH_RAN:
		return why_set(why, ACTOR_EFAIL,
		               "patch %u had only a process, which ran: there is nothing to take "
		               "back", number);
	case PATCH_QUARANTINED:
		return why_set(why, ACTOR_EFAIL,
		               "patch %u has been taken back by itself already; to send it again "
		               "all the same: actorctl patch lift %u", number, number);
	case PATCH_REFUSED:
		return why_set(why, ACTOR_EFAIL,
		               "patch %u was refused: there is nothing to take back; "
		               "actorctl patch show %u says why", number, number);
	case PATCH_INTENT:
		return why_set(why, ACTOR_EFAIL, "patch %u is under way: actorctl patch wait %u",
		               number, number);
	case PATCH_STALE:
	case PATCH_SUSPECT:             /* nothing of it is in force */
		rc = history_reverting(number, who->author, who->origin, why);
		if (!rc)
			history_reverted(number, NULL);
		return rc;
	case PATCH_APPLIED:
		break;
	}
	return take_all_back(&(struct taking){ number, who, lose, NULL }, why);
}

int revert_by_itself(uint32_t number, struct probation *p, struct why *why)
{
	struct patch_source who = { .origin = "node", .author = "probation" };

	return take_all_back(&(struct taking){ number, &who, false, p }, why);
}

/* --- bringing back -------------------------------------------------------------------- */

struct top { uint64_t key; uint32_t number; };
struct again {
	struct top *tops;
	size_t n, room;
	/* by type: the patch that gave its state the shape it has */
	struct top *shapes;
	size_t shape_count;
	uint32_t number;
	char reason[512];
};

static bool same_build(void *arg, const char *name, const char *build)
{
	struct type *type = core_type(name);
	struct again *a = arg;
	char hex[SEAL_DIGEST_HEX];

	if (!type) {
		snprintf(a->reason, sizeof a->reason, "there is no actor type %s any more", name);
		return false;
	}
	builds_of(type, hex);
	if (!strcmp(hex, build))
		return true;
	snprintf(a->reason, sizeof a->reason, "it was made for another build of %s",
	         name_title(name));
	return false;
}

static bool nothing(void *arg, const struct one *one)
{
	(void)arg, (void)one;
	return true;
}

static uint64_t key_of(const char *a, const char *b)
{
	unsigned char d[SEAL_DIGEST];
	uint64_t key;

	seal_digest(a, strlen(a) + 1, b, strlen(b), d);
	memcpy(&key, d, sizeof key);
	return key;
}

static void put_top(struct again *a, uint64_t key)
{
	size_t i = 0;

	while (i < a->n && a->tops[i].key != key)
		i++;
	if (i == a->room) {
		a->room = a->room ? 2 * a->room : 64;
		a->tops = mem_resize(a->tops, a->room * sizeof *a->tops);
	}
	a->tops[i] = (struct top){ key, a->number };
	a->n += i == a->n;
}

static struct top *shape_of(struct again *a, const char *type)
{
	uint64_t key = key_of(type, "");
	size_t i = 0;

	while (i < a->shape_count && a->shapes[i].key != key)
		i++;
	if (i == a->shape_count) {
		a->shapes = mem_resize(a->shapes, ++a->shape_count * sizeof *a->shapes);
		a->shapes[i] = (struct top){ key, 0 };
	}
	return &a->shapes[i];
}

/* What a handler was under an earlier shape is wanted too: a migration may be taken back. */
static bool on_top(void *arg, const struct one *one)
{
	struct again *a = arg;

	put_top(a, key_of(one->type_name, one->name) + shape_of(a, one->type_name)->number);
	return true;
}

static bool new_shape(void *arg, const struct one *one)
{
	struct again *a = arg;

	if (!one->migrates)
		return true;
	shape_of(a, one->type_name)->number = a->number;
	put_top(a, ~(uint64_t)a->number);
	return true;
}

static void consider(void *arg, uint32_t number, struct packed on)
{
	struct again *a = arg;
	bool good = kept_walk(&(struct walk){ same_build, nothing, a }, on);

	a->number = number;
	if (good)
		kept_walk(&(struct walk){ NULL, new_shape, a }, on);
	if (good)
		kept_walk(&(struct walk){ NULL, on_top, a }, on);
	else
		history_stale(number, a->reason);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct top *)a)->number, y = ((const struct top *)b)->number;

	return (x > y) - (x < y);
}

static void lay(uint32_t number, struct made *m, const struct patch_kept *k, revert_ran *ran)
{
	struct before b;
	struct why why;
	struct probation *p = try_again(number, m, k);
	int rc;

	history_before(&m->e, &b);
	rc = made_force(m, number, false, &why);
	if (rc < 0) {
		mem_free(b.was);
		history_stale(number, why.text);
	} else {
		history_laid(number, &b);
	}
	tried(number, p, !rc);
	if (rc < 0)
		return;
	log_line(LOG_INFO, "patch", "%u in force again: %.*s", number, (int)m->e.handlers.len,
	         m->e.handlers.p);
	if (m->e.process && history_again(number, &why) < 0) {
		log_line(LOG_ERROR, "patch", "%u: its process is not run again: %s", number,
		         why.text);
	} else if (m->e.process) {
		ran(number, m->e.process, m->code);
		m->code = NULL;
	}
}

static void bring_back(uint32_t number, revert_ran *ran)
{
	struct buf said = { 0 };
	struct patch_kept k;
	struct made m;
	struct why why;

	if (history_read(number, &k, &why) < 0) {
		history_stale(number, why.text);
		return;
	}
	if (made_from(&m, &k.source, NULL, &said) < 0) {
		buf_add(&said, "", 1);
		history_stale(number, said.p);
	} else {
		lay(number, &m, &k, ran);
		made_drop(&m);
	}
	kept_free(&k);
	buf_fini(&said);
}

int revert_bring_back(revert_ran *ran, struct why *why)
{
	struct again a = { .n = 0 };
	int rc = history_applied(consider, &a, why);

	if (a.n)
		qsort(a.tops, a.n, sizeof *a.tops, by_number);
	for (size_t i = 0; !rc && i < a.n; i++)
		if (!i || a.tops[i].number != a.tops[i - 1].number)
			bring_back(a.tops[i].number, ran);
	mem_free(a.tops);
	mem_free(a.shapes);
	return rc;
}
