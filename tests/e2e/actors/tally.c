/* SPDX-License-Identifier: MIT
 * tally - adds, and writes each sum to the actor `book`; a patch that fails at a message is taken
 * back, and the message is handled again. */
#include "actor.h"
#include "tally.h"

static int add(actor *self, const msg *m)
{
	struct tally *l = actor_state(self);

	l->sum += msg_int(m, 0);
	actor_send(self, actor_find("book"), "write", l->sum);
	return msg_reply(m, l->sum);
}

const struct actor_type tally = {
	.name = "tally", .state = sizeof(struct tally), .retry = 1,
	.on = ON({ "add", "by:int", add, ON_CLIENT }),
};
