/* SPDX-License-Identifier: MIT
 * echo: answers what it was told. */
#include "actor.h"

static int say(actor *self, const msg *m)
{
	msg_out *all = msg_values(self);

	for (int i = 0; i < msg_count(m); i++)
		out_value(all, m, i);
	return msg_reply_out(m, all);
}

const struct actor_type echo = {
	.name = "echo",
	.on   = ON({ "say", "...", say, ON_CLIENT }),
};
