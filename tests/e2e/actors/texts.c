/* SPDX-License-Identifier: MIT
 * texts: answers what it was told, typed each in another way. */
#include "actor.h"

static int say(actor *self, const msg *m)
{
	msg_out *o = msg_values(self);
	int i;

	for (i = 0; i < msg_count(m); i++)
		out_value(o, m, i);
	return msg_reply_out(m, o);
}

static int motto(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, "shipped");
}

static int refuse(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "not %s", msg_str(m, 0));
}

static int never(actor *self, const msg *m)
{
	(void)self;
	msg_defer(m);
	return 0;
}

const struct actor_type texts = {
	.name = "texts",
	.on   = ON({ "str",    "s:str",         say,    0 },
	           { "int",    "i:int",         say,    0 },
	           { "num",    "n:num",         say,    0 },
	           { "bool",   "b:bool",        say,    0 },
	           { "list",   "l:list",        say,    0 },
	           { "map",    "m:map",         say,    0 },
	           { "any",    "a:any",         say,    0 },
	           { "rest",   "...",           say,    0 },
	           { "opt",    "a:str b:int?",  say,    0 },
	           { "motto",  "",              motto,  0 },
	           { "refuse", "what:str",      refuse, 0 },
	           { "never",  "",              never,  0 }),
};
