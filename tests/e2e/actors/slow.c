/* SPDX-License-Identifier: MIT
 * slow: takes as long as it is told to. */
#include "actor.h"

static int work(actor *self, const msg *m)
{
	int64_t end = actor_now() + msg_int(m, 0);

	while (actor_now() < end)
		;
	return msg_reply(m, msg_int(m, 0));
}

static int quick(actor *self, const msg *m)
{
	return msg_reply(m, "at once");
}

static int fails(actor *self, const msg *m)
{
	return msg_fail(m, "as it should");
}

const struct actor_type slow = {
	.name = "slow",
	.on   = ON({ "work", "ms:int", work, 0 },
	           { "quick", "", quick, 0 },
	           { "fails", "", fails, 0 }),
};
