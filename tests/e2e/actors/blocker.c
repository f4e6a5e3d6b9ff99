/* SPDX-License-Identifier: MIT
 * blocker: computes for as long as it is told, on a thread of its own. */
#include "actor.h"

static int busy(actor *self, const msg *m)
{
	int64_t until = actor_now() + msg_int(m, 0);

	(void)self;
	while (actor_now() < until)
		;
	return msg_reply(m, "done");
}

const struct actor_type blocker = {
	.name  = "blocker",
	.where = ACTOR_THREAD,
	.on    = ON({ "busy", "ms:int", busy, 0 }),
};
