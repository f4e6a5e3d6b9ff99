/* SPDX-License-Identifier: MIT
 * watches.c - see watches.h.
 *
 * The idea: the number that another node knows a monitor of ours by is made of who monitors, and of
 * his own number for it, so that either finds it. One of theirs is found by the number they gave,
 * when they take it back, and by our own, when the actor has ended: it is in two tables.
 *
 * An actor's word that it monitors no more overtakes its messages, so it may come before the
 * message that says it does (early_note()): that is not said to the other node then at all. */
#include "watches.h"

#include <stddef.h>

struct ours { struct place place; actor_id who; int64_t number; char name[NAME_MAX_LEN + 1]; };

struct theirs {
	struct place place;             /* in theirs */
	struct place monitor;           /* in the table of self's monitors */
	void *owner;
	actor *self;
	struct watches *of;
	struct places *monitors;
};

static struct theirs *of_monitor(struct place *p)
{
	return (struct theirs *)((char *)p - offsetof(struct theirs, monitor));
}

/* splitmix64's finish over both; a positive int64, and not 0. */
static uint64_t key(actor_id who, int64_t number)
{
	uint64_t x = (uint64_t)who * 0x9e3779b97f4a7c15u + (uint64_t)number;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) >> 1 | 1;
}

/* --- ours --------------------------------------------------------------------------------- */

uint64_t watches_begin(struct watches *w, actor_id who, int64_t number, const char *name)
{
	struct ours *o = mem_alloc(sizeof *o);

	o->place.number = key(who, number);
	o->who = who;
	o->number = number;
	memcpy(o->name, name, strlen(name) + 1);
	places_add(&w->ours, &o->place);
	return o->place.number;
}

uint64_t watches_end(struct watches *w, actor_id who, int64_t number)
{
	struct ours *o = (struct ours *)places_take(&w->ours, key(who, number));

	if (!o)
		return 0;
	mem_free(o);
	return key(who, number);
}

static void tell(struct ours *o, const char *reason)
{
	if (o)
		core_down(o->who, o->number, o->name, reason);
	mem_free(o);
}

void watches_down(struct watches *w, uint64_t number, const char *reason)
{
	tell((struct ours *)places_take(&w->ours, number), reason);
}

void watches_all_down(struct watches *w, const char *reason)
{
	struct place *at;

	while ((at = places_any(&w->ours)))
		tell((struct ours *)at, reason);
}

/* --- theirs ------------------------------------------------------------------------------- */

int watches_serve(struct watches *w, void *owner, actor *self, struct places *monitors,
                  uint64_t number, actor_ref to)
{
	int64_t monitor = actor_monitor(self, to, "down");
	struct theirs *t;

	if (monitor < 0)
		return (int)monitor;
	watches_cease(w, number);       /* a forged one may come twice */
	t = mem_alloc(sizeof *t);
	t->place.number = number;
	t->monitor.number = (uint64_t)monitor;
	t->owner = owner;
	t->self = self;
	t->of = w;
	t->monitors = monitors;
	places_add(&w->theirs, &t->place);
	places_add(monitors, &t->monitor);
	return 0;
}

void *watches_served(struct places *monitors, int64_t monitor, uint64_t *number)
{
	struct place *at = places_take(monitors, (uint64_t)monitor);
	struct theirs *t = at ? of_monitor(at) : NULL;
	void *owner = t ? t->owner : NULL;

	if (t) {
		*number = t->place.number;
		places_take(&t->of->theirs, t->place.number);
	}
	mem_free(t);
	return owner;
}

static void cease(struct theirs *t)
{
	places_take(t->monitors, t->monitor.number);
	actor_demonitor(t->self, (int64_t)t->monitor.number);
	mem_free(t);
}

void watches_cease(struct watches *w, uint64_t number)
{
	struct place *at = places_take(&w->theirs, number);

	if (at)
		cease((struct theirs *)at);
}

void watches_life(struct watches *w, uint64_t life)
{
	struct place *at;

	while (w->life != life && (at = places_any(&w->theirs)))
		cease((struct theirs *)at);
	w->life = life;
}

void watches_fini(struct watches *w)
{
	struct place *at;

	while ((at = places_any(&w->ours)))
		mem_free(at);
	while ((at = places_any(&w->theirs)))
		mem_free(at);
	places_fini(&w->ours);
	places_fini(&w->theirs);
}

/* --- too early ---------------------------------------------------------------------------- */

void early_note(struct early *e, actor_id who, int64_t number)
{
	e->end[e->next].who = who;
	e->end[e->next].number = number;
	e->next = (e->next + 1) % EARLY_MOST;
}

bool early_take(struct early *e, actor_id who, int64_t number)
{
	for (unsigned i = 0; i < EARLY_MOST; i++)
		if (e->end[i].who == who && e->end[i].number == number && number) {
			e->end[i].number = 0;
			return true;
		}
	return false;
}
