/* SPDX-License-Identifier: MIT
 * crowd: bears as many as it can, and says why there are no more. */
#include "actor.h"

static int hit(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, 1);
}

static const struct actor_type one = { .name = "one of a crowd", .on = ON({ "hit", "", hit, 0 }) };

static int bear(actor *self, const msg *m)
{
	int64_t n = 0;

	while (n < msg_int(m, 0) && actor_spawn(self, &one, NULL))
		n++;
	return msg_reply(m, n, n < msg_int(m, 0) ? actor_why(self) : "");
}

const struct actor_type crowd = { .name = "crowd", .on = ON({ "bear", "most:int", bear, 0 }) };
