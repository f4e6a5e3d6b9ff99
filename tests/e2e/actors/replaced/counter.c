/* SPDX-License-Identifier: MIT
 * counter: in the place of the shipped one. */
#include "actor.h"

static int hit(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, -msg_int(m, 0));
}

const struct actor_type counter = {
	.name = "counter",
	.on   = ON({ "hit", "by:int", hit, 0 }),
};
