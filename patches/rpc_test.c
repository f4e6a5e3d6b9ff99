/* SPDX-License-Identifier: MIT
 * rpc_test: the ancestor's own example. The handler `test` of the actor rpc answers its two
 * arguments one after the other, twice. */
#include <stdio.h>

#include "actor.h"

static int test(actor *self, const msg *m)
{
	const char *first = msg_str(m, 0), *second = msg_str(m, 1);
	char both[256];

	(void)self;
	snprintf(both, sizeof both, "%s%s%s%s", first, second, first, second);
	return msg_reply(m, both);
}

const struct actor_type patch = {
	.name = "rpc",
	.on   = ON({ "test", "arg1:str arg2:str", test, 0 }),
};
