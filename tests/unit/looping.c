/* SPDX-License-Identifier: MIT
 * looping.c - an actor for test_contain.c: loops without end, in its own code and in what it calls.
 */
#include "actor.h"
#include <string.h>

static int fault(actor *self, const msg *m)
{
	static char room[1 << 20];
	volatile int64_t n = 0;
	int kind = (int)msg_int(m, 0);

	for (;;)
		switch (kind) {
		case 0: n++; break;
		case 1: memset(room, 1, sizeof room); break;
		case 2: n += actor_alive(actor_self(self)); break;
		}
}

const struct actor_type looping = {
	.name = "looping",
	.on = ON({ "fault", "kind:int", fault, 0 }),
	.budget_ms = 10,
};
