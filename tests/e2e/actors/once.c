/* SPDX-License-Identifier: MIT
 * once: a logbook whose notes may be lost, and never come twice. */
#include "actor.h"

static int note(actor *self, const msg *m)
{
	int64_t until = actor_now() + msg_int(m, 1);

	actor_log(self, "noted %lld", (long long)msg_int(m, 0));
	while (actor_now() < until)
		;
	return 0;
}

const struct actor_type once = {
	.name = "once",
	.budget_ms = 3600000,
	.at_most_once = 1,
	.on = ON({ "note", "n:int ms:int", note, 0 }),
};
