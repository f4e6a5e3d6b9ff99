/* SPDX-License-Identifier: MIT
 * counter: adds up hits and says the total. */
#include "actor.h"
#include "counter.h"

static int hit(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);

	c->hits += msg_int(m, 0);
	return msg_reply(m, c->hits);
}

const struct actor_type counter = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "hit", "by:int", hit, ON_CLIENT }),
};
