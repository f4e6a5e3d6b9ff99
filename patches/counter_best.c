/* SPDX-License-Identifier: MIT
 * counter_best: a migration. counter keeps the largest hit too, so its state gets another shape,
 * which every counter's own state is moved to between two of its messages. All handlers come with
 * it; the way back is there as well, so it can be reverted. */
#include "actor.h"

struct counter { int64_t hits; };
struct best { int64_t best, hits; };

static int hit(actor *self, const msg *m)
{
	struct best *b = actor_state(self);
	int64_t by = msg_int(m, 0);

	b->hits += by;
	b->best = by > b->best ? by : b->best;
	return msg_reply(m, b->hits);
}

static int best(actor *self, const msg *m)
{
	struct best *b = actor_state(self);

	return msg_reply(m, b->best);
}

int migrate(const void *from, void *to)
{
	const struct counter *c = from;
	struct best *b = to;

	b->hits = c->hits;
	return 0;
}

int migrate_back(const void *from, void *to)
{
	const struct best *b = from;
	struct counter *c = to;

	c->hits = b->hits;
	return 0;
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct best),
	.on    = ON({ "hit", "by:int", hit, ON_CLIENT }, { "best", "", best, 0 }),
};
