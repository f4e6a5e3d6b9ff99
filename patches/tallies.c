/* SPDX-License-Identifier: MIT
 * tallies: two migrations in one patch. counter and echo both learn to count the calls that they
 * answer, so both states get another shape: at one point, for every actor of both types, or, where
 * one of them cannot, for none. Each table names its own way there and back. echo has had no state
 * until now: there is nothing to move, and nothing to keep on the way back. */
#include "actor.h"

struct counter { int64_t hits; };
struct counted { int64_t hits, calls; };
struct said { int64_t calls; };

static int hit(actor *self, const msg *m)
{
	struct counted *c = actor_state(self);

	c->calls++;
	return msg_reply(m, c->hits += msg_int(m, 0));
}

static int say(actor *self, const msg *m)
{
	struct said *s = actor_state(self);
	msg_out *same = msg_values(self);

	s->calls++;
	for (int i = 0; i < msg_count(m); i++)
		out_value(same, m, i);
	return msg_reply_out(m, same);
}

static int hits(actor *self, const msg *m)
{
	struct counted *c = actor_state(self);

	return msg_reply(m, c->calls);
}

static int sayings(actor *self, const msg *m)
{
	struct said *s = actor_state(self);

	return msg_reply(m, s->calls);
}

static int wider(const void *from, void *to)
{
	const struct counter *was = from;
	struct counted *is = to;

	is->hits = was->hits;
	return 0;
}

static int narrower(const void *from, void *to)
{
	const struct counted *was = from;
	struct counter *is = to;

	is->hits = was->hits;
	return 0;
}

static int anew(const void *from, void *to)
{
	(void)from, (void)to;
	return 0;
}

static const struct actor_type counter_part = {
	.name = "counter", .state = sizeof(struct counted),
	.migrate = wider, .migrate_back = narrower,
	.on = ON({ "hit", "by:int", hit, ON_CLIENT }, { "calls", "", hits, 0 }),
};

static const struct actor_type echo_part = {
	.name = "echo", .state = sizeof(struct said),
	.migrate = anew, .migrate_back = anew,
	.on = ON({ "say", "...", say, ON_CLIENT }, { "calls", "", sayings, 0 }),
};

const struct actor_type *const patches[] = { &counter_part, &echo_part, 0 };
