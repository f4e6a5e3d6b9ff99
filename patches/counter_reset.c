/* SPDX-License-Identifier: MIT
 * counter_reset: a new handler. counter can be set to a number, zero when none is given, and says
 * what it had. Without ON_CLIENT it is for the node itself, Redis and actorctl only. */
#include "actor.h"
#include "counter.h"

static int reset(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	int64_t had = c->hits;

	c->hits = msg_int(m, 0);
	return msg_reply(m, had);
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "reset", "to:int?", reset, 0 }),
};
