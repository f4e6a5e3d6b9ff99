/* SPDX-License-Identifier: MIT
 * greeter: a new actor. The patch brings its type, and its process, which runs once, starts it. */
#include "actor.h"

struct greeter { int64_t greeted; };

static int hello(actor *self, const msg *m)
{
	struct greeter *g = actor_state(self);

	g->greeted++;
	return msg_reply(m, "hello", msg_str(m, 0), g->greeted);
}

static const struct actor_type greeter = {
	.name  = "greeter",
	.state = sizeof(struct greeter),
	.on    = ON({ "hello", "name:str", hello, ON_CLIENT }),
};

int process(actor *self)
{
	if (actor_alive(actor_find("greeter")))         /* after a restart of the node it is not */
		return 0;
	return actor_spawn(self, &greeter, "greeter") ? 0 : ACTOR_EFAIL;
}
