/* SPDX-License-Identifier: MIT
 * drafter.c - for test_draft.c, which patches `go`: an actor that has things that a handler can
 * change. */
#include "actor.h"
#include "drafter.h"

static int back(actor *self, const msg *m)
{
	(void)m;
	return actor_send(self, actor_find("sink"), "note", 1000);
}

static int down(actor *self, const msg *m)
{
	(void)m;
	return actor_send(self, actor_find("sink"), "note", 5000);
}

/* A caller, a timer, a membership, a monitor, for what comes. */
static int arm(actor *self, const msg *m)
{
	struct drafter *d = actor_state(self);

	d->timer = actor_after(self, msg_int(m, 0), "back");
	actor_join(self, "drafters", "back");
	return msg_reply(m, 1);
}

static int keep(actor *self, const msg *m)
{
	struct drafter *d = actor_state(self);

	d->caller = msg_defer(m);
	return 0;
}

static int put(actor *self, const msg *m)
{
	struct drafter *d = actor_state(self);

	if (!d->open)
		return actor_stash(self, m);
	return msg_reply(m, msg_int(m, 0) + 100);
}

static int go(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, -1);
}

static int odd(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, 77);
}

static int value(actor *self, const msg *m)
{
	const struct drafter *d = actor_state(self);

	return msg_reply(m, d->value);
}

static int closed_value(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, -5);
}

const struct actor_type drafter = {
	.name = "drafter", .state = sizeof(struct drafter),
	.on = ON({ "back", "...", back, 0 }, { "down", "number:int name:str why:str", down, 0 },
	         { "arm", "ms:int", arm, 0 }, { "keep", "", keep, 0 }, { "put", "v:int", put, 0 },
	         { "go", "what:int fails:int", go, 0 }, { "odd", "", odd, 0 },
	         { "value", "", value, 0 }, { "shut.value", "", closed_value, 0 }),
};
