/* SPDX-License-Identifier: MIT
 * drafter_patch.c - for test_draft.c: does one of all things, and then fails or does not. */
#include "actor.h"
#include "drafter.h"

static int kid(actor *self, const msg *m)
{
	(void)m;
	return actor_send(self, actor_find("sink"), "note", 7);
}

static int begun(actor *self)
{
	return actor_send(self, actor_find("sink"), "note", 70);
}

static const struct actor_type kids = {
	.name = "kid", .start = begun, .on = ON({ "init", "...", kid, 0 }),
};

static int with_values(actor *self, const msg *m, actor_ref sink)
{
	msg_out *o = msg_values(self);

	out_int(o, 1);
	actor_send_out(self, sink, "note", o);
	actor_ask_out(self, sink, "ask", "back", 60000, msg_values(self));
	o = msg_values(self);
	out_int(o, 9);
	return msg_reply_out(m, o);
}

/* What cannot be is told to the caller, and is no failure. */
static int does(actor *self, const msg *m, struct drafter *d)
{
	actor_ref sink = actor_find("sink"), peer = actor_find("peer");

	switch (msg_int(m, 0)) {
	case 0:
		for (int i = 0; i < 300; i++)
			actor_send(self, sink, "note", 1);
		return 0;
	case 1: return actor_ask(self, sink, "ask", "back", 60000) < 0;
	case 2: return actor_after(self, 0, "back") < 0;
	case 3: return actor_cancel(self, d->timer) || !actor_cancel(self, d->timer);
	case 4:
		d->caller = msg_defer(m);
		return actor_answer(self, d->caller, 44);
	case 5: return actor_answer(self, d->caller, 55) || !actor_answer(self, d->caller, 5);
	case 6: return actor_join(self, "more", "back");
	case 7: return actor_leave(self, "drafters");
	case 8: return !actor_spawn(self, &kids, "the-kid", 1);
	case 9: return actor_monitor(self, peer, "down") < 0 || actor_link(self, peer);
	case 10: return actor_become(self, "shut");
	case 11:
		d->open = 1;
		return actor_unstash(self) != 2;
	case 12: return msg_forward(m, sink, "ask2");
	case 13: return actor_publish(self, "drafters") != 1;
	case 14: return actor_refuse(self, d->caller, "no");
	case 15: return actor_stop(self, peer);
	case 16: return actor_stop(self, actor_self(self));
	case 17: return with_values(self, m, sink);
	case 18: return actor_stash(self, m);
	case 19: return !(d->block = actor_alloc(self, 1000));
	case 20:
		actor_free(self, d->block);
		return 0;
	case 21:
		actor_free(self, d->block);
		actor_free(self, d->block);
		return 0;
	case 22:
		actor_free(self, (char *)d + 1);
		return 0;
	case 23: return actor_alloc(self, 65 << 20) != NULL;
	}
	return 1;
}

static int go(actor *self, const msg *m)
{
	struct drafter *d = actor_state(self);
	int64_t fails = msg_int(m, 1);

	d->value += 3;
	if (does(self, m, d))
		return msg_fail(m, "%d cannot be", (int)msg_int(m, 0));
	if (fails == 1)
		return 1 / (int)(fails - 1);
	return fails == 2 ? ACTOR_EFAIL : 0;
}

const struct actor_type patch = {
	.name = "drafter", .state = sizeof(struct drafter),
	.on = ON({ "go", "what:int fails:int", go, 0 }),
};
