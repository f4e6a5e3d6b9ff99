/* SPDX-License-Identifier: MIT
 * sums: as the topic that pymodule_node.py hosts, says what it handles, and dies of some of it. */
#include "actor.h"

static void say(actor *self, const msg *m, const char *what)
{
	actor_log(self, "%s %lld %d", what, (long long)msg_int(m, 0), msg_again(m));
}

static int note(actor *self, const msg *m)
{
	say(self, m, "note");
	return 0;
}

/* Until it is killed. */
static int poison(actor *self, const msg *m)
{
	say(self, m, "poison");
	for (;;)
		;
}

const struct actor_type sums = {
	.name = "sums",
	.budget_ms = 3600000,
	.on = ON({ "note", "n:int", note, 0 }, { "poison", "n:int", poison, 0 }),
};
