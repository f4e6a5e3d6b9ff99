/* SPDX-License-Identifier: MIT
 * counter_cap: one hit adds at most 100. Only what changes is named. */
#include "actor.h"
#include "counter.h"

static int hit(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	int64_t by = msg_int(m, 0);

	c->hits += by > 100 ? 100 : by;
	return msg_reply(m, c->hits);
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "hit", "by:int", hit, ON_CLIENT }),
};
