/* SPDX-License-Identifier: MIT
 * spawn.c - actor.h's births and ends. */
#include "supervise.h"

#include <stdio.h>

static bool name_is_odd(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return true;
	return !*name || strlen(name) > NAME_MAX_LEN || !utf8_valid(name, strlen(name));
}

static struct type *named_type(const char *name, struct why *why)
{
	struct type *type = core_type(name);

	if (!type)
		why_set(why, ACTOR_ENOENT, "there is no actor type %.64s", name);
	return type;
}

actor_ref actor_spawn_(actor *self, const void *type, int by_name, const char *name,
                       const struct actor_site *s, const uint64_t *values)
{
	/* Of the runtime's own actors nobody is a child: what a patch's process() spawns is the
	 * node's. */
	struct birth b = { .parent = self && !cell_type(self)->native ? self : NULL,
		           .types = s->types,
		           .values = values,
		           .n = s->n };
	struct spawn sp = { .name = name };
	actor_id id = 0;
	int rc = 0;

	if (name && name_is_odd(name))
		rc = why_set(&kin_why, ACTOR_EARGS,
		             "an actor's name is 1 to %d bytes of UTF-8 with no space in it",
		             NAME_MAX_LEN);
	if (!rc && self && LOAD(&self->stopping))
		rc = why_set(&kin_why, ACTOR_EFAIL, "%s is about to end: it has no more children",
		             life_title(self));
	if (!rc)
		sp.type = by_name ? named_type(type, &kin_why) : type_of(type, &kin_why);
	sp.type = sp.type ? type_newest(sp.type) : NULL;
	if (sp.type && sp.type->native)
		rc = why_set(&kin_why, ACTOR_EFAIL, "%s is part of the runtime",
		             type_title(sp.type));
	if (!rc && sp.type)
		rc = life_spawn(&sp, &b, &id, &kin_why);
	if (rc || !id)
		return 0;
	return name ? actor_find(name) : id;
}

static int stop(struct worker *w, actor *self, actor_ref who, int drain_ms, struct why *why)
{
	const char *name = core_ref_name(who);
	struct target t;
	uint64_t born;
	int rc;

	if (name && !strncmp(name, "list:", 5))
		return why_set(why, ACTOR_ENOENT, "%s is a list of Redis, no actor", name);
	rc = target_here(who, &t, why);
	if (rc < 0)
		return rc;
	if (cell_type(t.cell)->native)
		return why_set(why, ACTOR_EARGS,
		               "%s is part of the runtime: it stops with the node",
		               life_title(t.cell));
	born = LOAD(&t.cell->born);
	if (LOAD_ACQUIRE(&t.cell->gen) != t.gen)
		return why_set(why, ACTOR_ENOENT, "it has just ended");
	if (t.cell == self && drain_ms <= 0)
		kin_end(self, END_ITSELF);
	else
		post_order_born(
			w, cell_index(t.cell), born,
			&(struct order){ FN_STOP, 0,
		                         drain_ms > 0 ? (uint64_t)deadline_in(drain_ms) : 0, "" });
	return 0;
}

int actor_stop(actor *self, actor_ref who)
{
	if (likely(self && who == cell_id(self)) && !cell_type(self)->native) {
		kin_end(self, END_ITSELF);
		return 0;
	}
	return actor_drain(self, who, 0);
}

int actor_drain(actor *self, actor_ref who, int ms)
{
	struct worker *w = worker_acquire();
	int rc = stop(w, self, who, ms, &kin_why);

	worker_release(w);
	return rc;
}

int core_stop_actor(actor_ref ref, int drain_ms, struct why *why)
{
	struct worker *w = worker_acquire();
	int rc = stop(w, NULL, ref, drain_ms, why);

	worker_release(w);
	return rc;
}

actor_ref actor_parent(actor *self)
{
	uint64_t id = LOAD(&self->parent);
	const char *name = id ? core_ref_name(id) : NULL;

	return name ? actor_find(name) : id;
}

const char *actor_why(actor *self)
{
	(void)self;
	return kin_words();
}
