/* SPDX-License-Identifier: MIT
 * clan: an elder who starts all anew where one fails, two workers, and what became of them. */
#include <stdio.h>
#include <string.h>
#include "actor.h"

struct worker { int64_t done; };
struct clan { int64_t number; char last[200]; };

static int work(actor *self, const msg *m)
{
	struct worker *x = actor_state(self);

	x->done += msg_int(m, 0);
	return msg_reply(m, x->done);
}

static int refuse(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "not today");
}

static int trip(actor *self, const msg *m)
{
	(void)self, (void)m;
	return ACTOR_EFAIL;
}

static int init(actor *self, const msg *m)
{
	((struct worker *)actor_state(self))->done = msg_int(m, 0);
	return 0;
}

static int leave(actor *self, const msg *m)
{
	return msg_reply(m, actor_stop(self, actor_self(self)));
}

static const struct actor_type worker = {
	.name = "clan worker", .state = sizeof(struct worker),
	.on = ON({ "init", "done:int", init, 0 }, { "work", "by:int", work, 0 },
	         { "refuse", "", refuse, 0 }, { "trip", "", trip, 0 }, { "leave", "", leave, 0 }),
};

static int hire(actor *self, const msg *m)
{
	if (!actor_spawn(self, &worker, msg_str(m, 0), msg_int(m, 1)))
		return msg_fail(m, "%s", actor_why(self));
	return 0;
}

static int dismiss(actor *self, const msg *m)
{
	return actor_stop(self, actor_find(msg_str(m, 0))) ? msg_fail(m, "%s", actor_why(self)) : 0;
}

static int watch(actor *self, const msg *m)
{
	int64_t number = actor_monitor(self, actor_find(msg_str(m, 0)), "ended");

	return number < 0 ? msg_fail(m, "%s", actor_why(self)) : msg_reply(m, number);
}

static int ended(actor *self, const msg *m)
{
	struct clan *c = actor_state(self);

	c->number = msg_int(m, 0);
	snprintf(c->last, sizeof c->last, "%s: %s", msg_str(m, 1), msg_str(m, 2));
	return 0;
}

static int last(actor *self, const msg *m)
{
	struct clan *c = actor_state(self);

	return msg_reply(m, c->number, c->last);
}

const struct actor_type clan = {
	.name = "clan",
	.state = sizeof(struct clan),
	.on = ON({"hire", "name:str done:int", hire, 0}, {"dismiss", "name:str", dismiss, 0},
		 {"watch", "name:str", watch, 0}, {"last", "", last, 0}, {"trip", "", trip, 0},
		 {"ended", "number:int name:str reason:str", ended, 0}),
	.children = {ONE_FOR_ALL, 3, 60},
};
