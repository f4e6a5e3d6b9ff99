/* SPDX-License-Identifier: MIT
 * inspection.c - see inspection.h.
 *
 * The idea: the actor is asked, and then those that it waits for, one after the other, until one
 * waits for nobody or is met again: a circle, told by name. One that is too busy to answer within
 * LOOK_MS is told of without what only it knows. */
#include "inspection.h"

#include "asked.h"

enum { LOOK_MS = 500, HOPS_MOST = 16 };

struct inspection {
	struct asked asked;
	msg_caller caller;
	actor_ref who;
	struct buf inner, path;         /* path: "a > b" */
	int hops;
	bool circle;
};

static void inspection_free(void *arg)
{
	struct inspection *i = arg;

	buf_fini(&i->inner);
	buf_fini(&i->path);
	mem_free(i);
}

static void end(const struct inspections *all, actor *self, struct inspection *i)
{
	struct actor_info a;
	struct portrait p = { &a, all->sources, packed_of(&i->inner),
	                      i->circle ? i->path.p : NULL };
	struct buf b = { 0 };

	if (core_inspect(i->who, &a) != 0) {
		core_answer(self, i->caller, packed_of(&b), 0, ACTOR_ENOENT,
		            "the actor has just ended; `actorctl ps` lists those that are");
	} else {
		portrait_actor(&p, &b);
		core_answer(self, i->caller, packed_of(&b), 1, 0, NULL);
		buf_fini(&b);
	}
	inspection_free(i);
}

static void at(struct inspections *all, actor *self, struct inspection *i, actor_ref who)
{
	i->asked.number = core_look(self, who, "looked", LOOK_MS);
	if (i->asked.number < 0)
		end(all, self, i);
	else
		asked_add(&all->tree, &i->asked);
}

static void on(struct inspections *all, actor *self, struct inspection *i, struct packed inner)
{
	char name[NAME_MAX_LEN + 1];
	const char *met;

	if (!portrait_asked(inner, name) || ++i->hops > HOPS_MOST) {
		end(all, self, i);
		return;
	}
	met = core_ref_name(i->who);
	buf_printf(&i->path, "%s > %s", i->path.len ? "" : met, name);
	i->circle = strcmp(met, name) == 0;
	if (i->circle)
		end(all, self, i);
	else
		at(all, self, i, actor_find(name));
}

void inspection_begin(struct inspections *all, actor *self, actor_ref who, msg_caller caller)
{
	struct inspection *i = mem_alloc(sizeof *i);

	i->who = who;
	i->caller = caller;
	at(all, self, i, who);
}

bool inspection_came(struct inspections *all, actor *self, const msg *m)
{
	struct inspection *i = asked_take(&all->tree, msg_ask(m));
	struct buf b = { 0 };

	if (!i)
		return false;
	if (!msg_error(m))
		msg_pack(m, 0, i->hops ? &b : &i->inner);
	on(all, self, i, packed_of(i->hops ? &b : &i->inner));
	buf_fini(&b);
	return true;
}

void inspections_fini(struct inspections *all)
{
	asked_free(&all->tree, inspection_free);
}
