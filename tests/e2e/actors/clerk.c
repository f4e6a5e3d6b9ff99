/* SPDX-License-Identifier: MIT
 * clerk: on the I/O loop, for what must not wait for a worker. */
#include "actor.h"

static int say(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_str(m, 0));
}

const struct actor_type clerk = {
	.name  = "clerk",
	.where = ACTOR_LOOP,
	.on    = ON({ "say", "what:str", say, ON_CLIENT }),
};
