/* SPDX-License-Identifier: MIT
 * blocker: computes for as long as it is told, or until there is an actor of a name, on a thread of
 * its own. */
#include "actor.h"

static int busy(actor *self, const msg *m)
{
	int64_t until = actor_now() + msg_int(m, 0);

	(void)self;
	while (actor_now() < until)
		;
	return msg_reply(m, "done");
}

static int until(actor *self, const msg *m)
{
	(void)self;
	while (!actor_alive(actor_find(msg_str(m, 0))))
		;
	return msg_reply(m, "it is there");
}

const struct actor_type blocker = {
	.name  = "blocker",
	.where = ACTOR_THREAD,
	.budget_ms = 60000,
	.mailbox = { .messages = 32767, .bytes = 32 << 20 },
	.on    = ON({ "busy", "ms:int", busy, 0 }, { "until", "name:str", until, 0 }),
};
