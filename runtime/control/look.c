/* SPDX-License-Identifier: MIT
 * look.c - see look.h.
 *
 * The idea: the actor is asked, and then those that it waits for, one after the other, until one
 * waits for nobody or is met again: a circle, told by name. One that is too busy to answer within
 * LOOK_MS is told of without what only it knows. */
#include "look.h"

#include "asked.h"

enum { LOOK_MS = 500, HOPS_MOST = 16 };

struct look {
	struct asked asked;
	msg_caller caller;
	actor_ref who;
	struct buf inner, path;         /* path: "a > b" */
	int hops;
	bool circle;
};

static struct packed packed_of(const struct buf *b)
{
	return (struct packed){ (uint8_t *)b->p, (uint8_t *)b->p + b->len };
}

static void look_free(void *arg)
{
	struct look *u = arg;

	buf_fini(&u->inner);
	buf_fini(&u->path);
	mem_free(u);
}

static void end(const struct looks *l, actor *self, struct look *u)
{
	struct actor_info a;
	struct portrait p = { &a, l->sources, packed_of(&u->inner), u->circle ? u->path.p : NULL };
	struct buf b = { 0 };

	if (core_inspect(u->who, &a) != 0) {
		core_answer(self, u->caller, packed_of(&b), 0, ACTOR_ENOENT,
		            "the actor has just ended; `actorctl ps` lists those that are");
	} else {
		portrait_actor(&p, &b);
		core_answer(self, u->caller, packed_of(&b), 1, 0, NULL);
		buf_fini(&b);
	}
	look_free(u);
}

static void at(struct looks *l, actor *self, struct look *u, actor_ref who)
{
	u->asked.number = core_look(self, who, "looked", LOOK_MS);
	if (u->asked.number < 0)
		end(l, self, u);
	else
		asked_add(&l->tree, &u->asked);
}

static void on(struct looks *l, actor *self, struct look *u, struct packed inner)
{
	char name[NAME_MAX_LEN + 1];
	const char *met;

	if (!portrait_asked(inner, name) || ++u->hops > HOPS_MOST) {
		end(l, self, u);
		return;
	}
	met = core_ref_name(u->who);
	buf_printf(&u->path, "%s > %s", u->path.len ? "" : met, name);
	u->circle = strcmp(met, name) == 0;
	if (u->circle)
		end(l, self, u);
	else
		at(l, self, u, actor_find(name));
}

void look_begin(struct looks *l, actor *self, actor_ref who, msg_caller caller)
{
	struct look *u = mem_alloc(sizeof *u);

	u->who = who;
	u->caller = caller;
	at(l, self, u, who);
}

bool look_came(struct looks *l, actor *self, const msg *m)
{
	struct look *u = asked_take(&l->tree, msg_ask(m));
	struct buf b = { 0 };

	if (!u)
		return false;
	if (!msg_error(m))
		msg_pack(m, 0, u->hops ? &b : &u->inner);
	on(l, self, u, packed_of(u->hops ? &b : &u->inner));
	buf_fini(&b);
	return true;
}

void looks_fini(struct looks *l)
{
	asked_free(&l->tree, look_free);
}
