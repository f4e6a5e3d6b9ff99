/* SPDX-License-Identifier: MIT
 * stuck: holds its worker until a file is there. A shared object: sources cannot look at files. */
#include "actor.h"
#include <unistd.h>
#include <stdlib.h>

static int hold(actor *self, const msg *m)
{
	actor_log(self, "holding");
	while (access(getenv("E2E_LET_GO"), F_OK))
		;
	return msg_reply(m, "free");
}

const struct actor_type stuck = { .name = "stuck", .on = ON({ "hold", "", hold, 0 }) };
