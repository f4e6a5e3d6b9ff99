/* SPDX-License-Identifier: MIT
 * typed: a handler for each type of parameter. */
#include "actor.h"

static int take(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_count(m));
}

static int opt(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_int(m, 0), msg_int(m, 1));
}

const struct actor_type typed = {
	.name = "typed",
	.on   = ON({ "int",   "x:int",         take, ON_CLIENT },
	           { "num",   "x:num",         take, ON_CLIENT },
	           { "str",   "x:str",         take, ON_CLIENT },
	           { "bytes", "x:bytes",       take, ON_CLIENT },
	           { "bool",  "x:bool",        take, ON_CLIENT },
	           { "list",  "x:list",        take, ON_CLIENT },
	           { "map",   "x:map",         take, ON_CLIENT },
	           { "any",   "x:any",         take, ON_CLIENT },
	           { "opt",   "a:int b:int?",  opt,  ON_CLIENT },
	           { "rest",  "a:str ...",     take, ON_CLIENT }),
};
