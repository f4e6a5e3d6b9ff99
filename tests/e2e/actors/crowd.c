/* SPDX-License-Identifier: MIT
 * crowd: bears as many as it can, and says why there are no more; and so many with names. */
#include <stdio.h>
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

static int name(actor *self, const msg *m)
{
	char text[64];
	int64_t n = 0;

	for (int64_t i = 0; i < msg_int(m, 1); i++) {
		snprintf(text, sizeof text, msg_str(m, 0), (long long)i);
		n += actor_spawn(self, &one, text) != 0;
	}
	return msg_reply(m, n);
}

const struct actor_type crowd = {
	.name = "crowd",
	.on = ON({ "bear", "most:int", bear, 0 }, { "name", "text:str n:int", name, 0 }),
};
