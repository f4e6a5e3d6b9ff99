/* SPDX-License-Identifier: MIT
 * counter_blunder: faults on purpose, for what happens then: a hit of 0 divides by it, one of -1
 * never ends. The caller is told where; the patch is taken back by itself, and the next hit finds
 * the counter as it was. */
#include "actor.h"
#include "counter.h"

static int64_t share(int64_t of, int64_t by)
{
	while (by == -1)
		;
	return of / by;
}

static int hit(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);

	c->hits += msg_int(m, 0);
	return msg_reply(m, c->hits + 0 * share(c->hits, msg_int(m, 0)));
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "hit", "by:int", hit, ON_CLIENT }),
};
