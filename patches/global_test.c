/* SPDX-License-Identifier: MIT
 * global_test: the node's global table, whose name is "", answers its `test` with both arguments
 * twice. A client that calls without naming an actor meets it on its next message. */
#include <string.h>

#include "actor.h"

static int test(actor *self, const msg *m)
{
	msg_out *answer = msg_values(self);
	size_t first = msg_len(m, 0), second = msg_len(m, 1);
	char *at = out_room(answer, 2 * (first + second));

	if (!at)                        /* the caller hears that it is over 16 MiB */
		return msg_reply_out(m, answer);
	memcpy(at, msg_str(m, 0), first);
	memcpy(at + first, msg_str(m, 1), second);
	memcpy(at + first + second, at, first + second);
	return msg_reply_out(m, answer);
}

const struct actor_type patch = {
	.name = "",
	.on   = ON({ "test", "arg1:str arg2:str", test, ON_CLIENT }),
};
