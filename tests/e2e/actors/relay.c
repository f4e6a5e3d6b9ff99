/* SPDX-License-Identifier: MIT
 * relay: asks the next one, and passes its answer back; the last one, who has no next, answers 100
 * more. A test writes it for each node, with names of its own. */
#include <string.h>
#include "actor.h"

struct relay { msg_caller waiting; };

static int pass(actor *self, const msg *m)
{
	struct relay *r = actor_state(self);

	if (strcmp("NEXT", "nobody") == 0)
		return msg_int(m, 0) < 0 ? msg_fail(m, "no such message")
		                         : msg_reply(m, 100 + msg_int(m, 0));
	r->waiting = msg_defer(m);
	return actor_ask(self, actor_find("NEXT"), "pass", "passed", 10000, msg_int(m, 0)) > 0
		? 0 : -1;
}

static int passed(actor *self, const msg *m)
{
	struct relay *r = actor_state(self);

	if (msg_error(m))
		return actor_refuse(self, r->waiting, "%s", msg_error_text(m));
	return actor_answer(self, r->waiting, msg_int(m, 0));
}

const struct actor_type NAME = {
	.name = "NAME",
	.state = sizeof(struct relay),
	.on = ON({ "pass", "n:int", pass, ON_CLIENT }, { "passed", "n:int", passed, 0 }),
};
