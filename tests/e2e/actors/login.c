/* SPDX-License-Identifier: MIT
 * login: instead of the shipped one, knows two users by heart, one under another name. */
#include "actor.h"

#include <string.h>

static int admit(actor *self, const msg *m)
{
	(void)self;
	if (strcmp(msg_str(m, 1), "sesame"))
		return msg_fail(m, "no such user, or a wrong password");
	return strcmp(msg_str(m, 0), "ali") ? 0 : msg_reply(m, "Ali Baba");
}

const struct actor_type login = {
	.name = "login",
	.on   = ON({ "login", "user:str proof:str", admit, 0 }),
};
