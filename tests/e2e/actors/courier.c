/* SPDX-License-Identifier: MIT
 * courier: carries a command of one argument to Redis, and its answer back. */
#include "actor.h"

struct courier { msg_caller waiting; };

static int run(actor *self, const msg *m)
{
	struct courier *c = actor_state(self);

	c->waiting = msg_defer(m);
	return actor_ask(self, actor_find("bus"), "command", "ran", 10000, msg_str(m, 0),
	                 msg_str(m, 1)) > 0 ? 0 : -1;
}

static int ran(actor *self, const msg *m)
{
	struct courier *c = actor_state(self);

	return msg_error(m) ? actor_refuse(self, c->waiting, "%s", msg_error_text(m))
	                    : actor_answer(self, c->waiting, msg_str(m, 0));
}

const struct actor_type courier = {
	.name = "courier", .state = sizeof(struct courier),
	.on = ON({ "run", "name:str argument:str", run, 0 }, { "ran", "...", ran, 0 }),
};
