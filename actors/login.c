/* SPDX-License-Identifier: MIT
 * login: lets every client in, under the name that it says. Who wants more puts another in its
 * place: --login login_password, --login login_token, or an actor of one's own, which answers with
 * nothing, with the name that the client is to have, or refuses by msg_fail(). By msg_fail_as()
 * with ACTOR_EFULL, ACTOR_ETIME, ACTOR_ENOMEM or ACTOR_ENOENT it refuses nobody: the client is told
 * to come again, and --login-rate does not count it. */
#include "actor.h"

static int admit(actor *self, const msg *m)
{
	(void)self, (void)m;
	return 0;
}

const struct actor_type login = {
	.name = "login",
	.on   = ON({ "login", "user:str proof:str", admit, 0 }),
};
