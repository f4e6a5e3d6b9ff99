/* SPDX-License-Identifier: MIT
 * club: clients join its rooms and speak in them, and to each other by name. */
#include "actor.h"

struct club { actor_ref clients; };

static int start(actor *self)
{
	((struct club *)actor_state(self))->clients = actor_find("clients");
	return 0;
}

static actor_ref clients(actor *self)
{
	return ((struct club *)actor_state(self))->clients;
}

static int enter(actor *self, const msg *m)
{
	return actor_send(self, clients(self), "join", msg_str(m, 0), msg_from(m));
}

static int quit(actor *self, const msg *m)
{
	return actor_send(self, clients(self), "leave", msg_str(m, 0), msg_from(m));
}

static int say(actor *self, const msg *m)
{
	return actor_send(self, clients(self), "room", msg_str(m, 0), "said", msg_str(m, 1));
}

static int whisper(actor *self, const msg *m)
{
	return actor_send(self, clients(self), "user", msg_str(m, 0), "whispered", msg_str(m, 1));
}

static int shout(actor *self, const msg *m)
{
	return actor_send(self, clients(self), "all", "shouted", msg_str(m, 0));
}

const struct actor_type club = {
	.name  = "club",
	.state = sizeof(struct club),
	.start = start,
	.on    = ON({ "enter",   "room:str",          enter,   ON_CLIENT },
	            { "quit",    "room:str",          quit,    ON_CLIENT },
	            { "say",     "room:str text:str", say,     ON_CLIENT },
	            { "whisper", "user:str text:str", whisper, ON_CLIENT },
	            { "shout",   "text:str",          shout,   ON_CLIENT }),
};
