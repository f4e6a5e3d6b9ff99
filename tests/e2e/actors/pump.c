/* SPDX-License-Identifier: MIT
 * pump: sends numbered messages to the ledger until it is told to stop, each until it is taken. */
#include "actor.h"

struct pump { actor_ref to; int64_t who, taken, refused; int running; };

static int go(actor *self, const msg *m)
{
	struct pump *p = actor_state(self);

	(void)m;
	for (int i = 0; p->running && i < 20; i++) {
		if (actor_send(self, p->to, "put", p->who, p->taken + 1) < 0) {
			p->refused++;
			break;
		}
		p->taken++;
	}
	return p->running ? (actor_after(self, 2, "go") < 0) : 0;
}

static int start(actor *self, const msg *m)
{
	struct pump *p = actor_state(self);

	p->to = actor_find("ledger");
	p->who = msg_int(m, 0);
	p->running = 1;
	return go(self, m);
}

static int stop(actor *self, const msg *m)
{
	struct pump *p = actor_state(self);

	p->running = 0;
	return msg_reply(m, p->taken, p->refused);
}

const struct actor_type pump = {
	.name = "pump",
	.state = sizeof(struct pump),
	.on = ON({ "start", "who:int", start, 0 }, { "go", "", go, 0 }, { "stop", "", stop, 0 }),
};
