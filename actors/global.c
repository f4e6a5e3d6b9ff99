/* SPDX-License-Identifier: MIT
 * global: the node's global table, an actor without a name. It gets the calls of clients that name
 * no actor, or one that nobody hosts. Patches give it what the clients need. */
#include <string.h>

#include "actor.h"

static int test(actor *self, const msg *m)
{
	size_t first = msg_len(m, 0), second = msg_len(m, 1);
	msg_out *answer = msg_values(self);
	char *both = out_room(answer, first + second);

	memcpy(both, msg_str(m, 0), first);
	memcpy(both + first, msg_str(m, 1), second);
	return msg_reply_out(m, answer);
}

const struct actor_type global = {
	.name = "",
	.on   = ON({ "test", "arg1:str arg2:str", test, ON_CLIENT }),
};
