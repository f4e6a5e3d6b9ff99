/* SPDX-License-Identifier: MIT
 * ledger - adds, and writes each sum to the actor `book`; a patch that fails at a message is taken
 * back, and the message is handled again. */
#include "actor.h"
#include "ledger.h"

static int add(actor *self, const msg *m)
{
	struct ledger *l = actor_state(self);

	l->sum += msg_int(m, 0);
	actor_send(self, actor_find("book"), "write", l->sum);
	return msg_reply(m, l->sum);
}

const struct actor_type ledger = {
	.name = "ledger", .state = sizeof(struct ledger), .retry = 1,
	.on = ON({ "add", "by:int", add, ON_CLIENT }),
};
