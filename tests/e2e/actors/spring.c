/* SPDX-License-Identifier: MIT
 * spring: sends numbered messages to an actor wherever that is, asks it, watches it. What finds no
 * room it sends again a little later. */
#include "actor.h"
#include <stdio.h>
#include <string.h>

struct spring {
	actor_ref to;
	int64_t who, next, until, refused;
	int slow_ms;
	msg_caller done, asked, watched;
	char down[256];
};

static int go(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);

	(void)m;
	for (int turn = 0; s->next <= s->until && turn < 500; turn++) {
		int rc = s->slow_ms ? actor_send(self, s->to, "slow", s->who, s->next, s->slow_ms)
		                    : actor_send(self, s->to, "put", s->who, s->next);

		if (rc == ACTOR_EFULL) {
			s->refused++;
			actor_after(self, 1, "go");
			return 0;
		}
		if (rc < 0) {
			actor_refuse(self, s->done, "send %lld: %d", (long long)s->next, rc);
			s->done = 0;
			return 0;
		}
		s->next++;
	}
	if (s->next <= s->until)
		return actor_send(self, actor_self(self), "go");
	actor_answer(self, s->done, s->next - 1, s->refused);
	s->done = 0;
	return 0;
}

/* to who count slow_ms: from where the last run ended. */
static int run(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);

	s->to = actor_find(msg_str(m, 0));
	s->who = msg_int(m, 1);
	s->until = s->next + msg_int(m, 2) - 1;
	if (!s->next) {
		s->next = 1;
		s->until++;
	}
	s->slow_ms = (int)msg_int(m, 3);
	s->done = msg_defer(m);
	return go(self, m);
}

static int ask(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);
	int64_t rc = actor_ask(self, actor_find(msg_str(m, 0)), msg_str(m, 1), "answered",
	                       (int)msg_int(m, 2));

	if (rc < 0)
		return msg_fail(m, "not asked: %d: %s", (int)rc, actor_why(self));
	s->asked = msg_defer(m);
	return 0;
}

/* Whatever the actor `bus` does. */
static int bus(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);
	msg_out *o = msg_values(self);

	for (int i = 1; i < msg_count(m); i++)
		out_value(o, m, i);
	if (actor_ask_out(self, actor_find("bus"), msg_str(m, 0), "answered", 10000, o) < 0)
		return msg_fail(m, "not asked");
	s->asked = msg_defer(m);
	return 0;
}

static int lost(actor *self, const msg *m)
{
	snprintf(((struct spring *)actor_state(self))->down, 256, "lost %s", msg_str(m, 0));
	return 0;
}

static int start(actor *self)
{
	return actor_join(self, "claim lost", "lost");
}

static int answered(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);

	if (msg_error(m))
		return actor_refuse(self, s->asked, "%d: %s", msg_error(m), msg_error_text(m));
	msg_out *o = msg_values(self);

	for (int i = 0; i < msg_count(m); i++)
		out_value(o, m, i);
	return actor_answer_out(self, s->asked, o);
}

static int watch(actor *self, const msg *m)
{
	int64_t rc = actor_monitor(self, actor_find(msg_str(m, 0)), "down");

	return rc < 0 ? msg_fail(m, "%d: %s", (int)rc, actor_why(self)) : msg_reply(m, rc);
}

static int unwatch(actor *self, const msg *m)
{
	return msg_reply(m, actor_demonitor(self, msg_int(m, 0)));
}

/* For no longer than this handler takes. */
static int glance(actor *self, const msg *m)
{
	return msg_reply(m, actor_demonitor(self, actor_monitor(self, actor_find(msg_str(m, 0)),
	                                                        "down")));
}

static int down(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);

	snprintf(s->down, sizeof s->down, "%s: %s", msg_str(m, 1), msg_str(m, 2));
	if (s->watched)
		actor_answer(self, s->watched, s->down);
	s->watched = 0;
	return 0;
}

/* Answers when a watched actor is down. */
static int wait(actor *self, const msg *m)
{
	struct spring *s = actor_state(self);

	if (s->down[0])
		return msg_reply(m, s->down);
	s->watched = msg_defer(m);
	return 0;
}

const struct actor_type spring = {
	.name = "spring",
	.state = sizeof(struct spring),
	.start = start,
	.on = ON({ "run", "to:str who:int count:int slow_ms:int", run, 0 }, { "go", "", go, 0 },
	         { "ask", "to:str what:str ms:int", ask, 0 }, { "answered", "...", answered, 0 },
	         { "watch", "to:str", watch, 0 }, { "down", "n:int name:str why:str", down, 0 },
	         { "unwatch", "n:int", unwatch, 0 }, { "glance", "to:str", glance, 0 },
	         { "wait", "", wait, 0 }, { "bus", "what:str ...", bus, 0 },
	         { "lost", "name:str", lost, 0 }),
};
