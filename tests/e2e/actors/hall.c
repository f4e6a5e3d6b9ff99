/* SPDX-License-Identifier: MIT
 * hall: knows who is in, what the node said, and keeps calls while it is shut. */
#include "actor.h"

#include <string.h>

struct hall { int in, out; char last[64], node[64]; int64_t heard; };

static int start(actor *self)
{
	return actor_join(self, "started", "node_started") |
	       actor_join(self, "afterLogin", "came") | actor_join(self, "beforeQuit", "went") |
	       actor_join(self, "stopped", "node_stopped");
}

static int node_started(actor *self, const msg *m)
{
	struct hall *h = actor_state(self);

	strncpy(h->node, msg_str(m, 0), sizeof h->node - 1);
	return 0;
}

static int node_stopped(actor *self, const msg *m)
{
	actor_log(self, "heard that %s stops", msg_str(m, 0));
	return 0;
}

static int came(actor *self, const msg *m)
{
	struct hall *h = actor_state(self);

	h->in++;
	strncpy(h->last, msg_str(m, 0), sizeof h->last - 1);
	return actor_send(self, msg_from(m), "welcome", msg_str(m, 0));
}

static int went(actor *self, const msg *m)
{
	struct hall *h = actor_state(self);

	h->out++;
	strncpy(h->last, msg_str(m, 0), sizeof h->last - 1);
	return 0;
}

static int who(actor *self, const msg *m)
{
	struct hall *h = actor_state(self);

	return msg_reply(m, h->in, h->out, h->last, h->node);
}

static int say(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_str(m, 0));
}

static int shut_say(actor *self, const msg *m)
{
	return actor_stash(self, m);
}

static int shut(actor *self, const msg *m)
{
	return msg_reply(m, actor_become(self, "shut"));
}

static int open(actor *self, const msg *m)
{
	actor_become(self, 0);
	return msg_reply(m, actor_unstash(self));
}

static int hear(actor *self, const msg *m)
{
	((struct hall *)actor_state(self))->heard += msg_int(m, 0);
	return 0;
}

static int tell(actor *self, const msg *m)
{
	struct hall *h = actor_state(self);
	int sent;

	actor_join(self, "listeners", "hear");
	sent = actor_publish(self, "listeners", msg_int(m, 0));
	return msg_reply(m, sent, h->heard);
}

static int pick(actor *self, const msg *m)
{
	actor_ref one = actor_pick("listeners", PICK_KEY, msg_str(m, 0));

	actor_send(self, one, "hear", 100);
	return msg_reply(m, actor_alive(one), actor_leave(self, "listeners"));
}

const struct actor_type hall = {
	.name  = "hall",
	.state = sizeof(struct hall),
	.start = start,
	.on    = ON({ "node_started", "node:str", node_started, 0 },
	            { "node_stopped", "node:str", node_stopped, 0 },
	            { "came",         "guid:str", came,         0 },
	            { "went",         "guid:str", went,         0 },
	            { "who",          "",         who,          0 },
	            { "say",          "what:str", say,          ON_CLIENT },
	            { "shut.say",     "what:str", shut_say,     0 },
	            { "shut",         "",         shut,         0 },
	            { "open",         "",         open,         0 },
	            { "hear",         "n:int",    hear,         0 },
	            { "tell",         "n:int",    tell,         0 },
	            { "pick",         "key:str",  pick,         0 }),
};
