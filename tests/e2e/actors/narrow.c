/* SPDX-License-Identifier: MIT
 * narrow: what comes behind a call of it waits for the answer, which is that it has no room. */
#include "actor.h"

struct narrow { int64_t taken; };

static int take(actor *self, const msg *m)
{
	struct narrow *n = actor_state(self);

	(void)m;
	n->taken++;
	return ACTOR_EFULL;
}

static int told(actor *self, const msg *m)
{
	struct narrow *n = actor_state(self);

	return msg_reply(m, n->taken);
}

const struct actor_type narrow = {
	.name = "narrow",
	.state = sizeof(struct narrow),
	.on = ON({ "take", "", take, ON_BARRIER }, { "told", "", told, 0 }),
};
