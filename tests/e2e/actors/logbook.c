/* SPDX-License-Identifier: MIT
 * logbook: writes what it handles into the node's log, which is there when the node is gone. */
#include "actor.h"

/* ms: it takes so long. */
static int note(actor *self, const msg *m)
{
	int64_t until = actor_now() + msg_int(m, 1);

	actor_log(self, "noted %lld%s", (long long)msg_int(m, 0), msg_again(m) ? " again" : "");
	while (actor_now() < until)
		;
	return 0;
}

const struct actor_type logbook = {
	.name = "logbook",
	.budget_ms = 3600000,
	.on = ON({ "note", "n:int ms:int", note, 0 }),
};
