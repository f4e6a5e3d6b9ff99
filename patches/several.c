/* SPDX-License-Identifier: MIT
 * several: two actors in one patch, in force together or not at all. counter learns to say its
 * total, and the global table a `total` that clients may call: it passes the question on, and
 * counter answers the client in its place. */
#include "actor.h"
#include "counter.h"

static int tell(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);

	return msg_reply(m, c->hits);
}

static int total(actor *self, const msg *m)
{
	(void)self;
	return msg_forward(m, actor_find("counter"), "tell");
}

static const struct actor_type counter_part = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "tell", "", tell, 0 }),
};

static const struct actor_type global_part = {
	.name = "",
	.on   = ON({ "total", "", total, ON_CLIENT }),
};

const struct actor_type *const patches[] = { &counter_part, &global_part, 0 };
