/* SPDX-License-Identifier: MIT
 * sink: takes numbered messages of others, and says whether they came once each and in order. */
#include "actor.h"

enum { SENDERS = 64 };
struct sink {
	int64_t last[SENDERS], count, wrong, again;
	msg_caller kept[4];
	int64_t nevers, freed;
};

static int put(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);
	int64_t who = msg_int(m, 0) % SENDERS, n = msg_int(m, 1);

	s->wrong += n != s->last[who] + 1;
	s->last[who] = n;
	s->count++;
	s->again += msg_again(m);
	return 0;
}

/* A short wait, made of work: its mailbox fills meanwhile. */
static int slow(actor *self, const msg *m)
{
	int64_t until = actor_now() + msg_int(m, 2);

	while (actor_now() < until)
		;
	return put(self, m);
}

/* The same, until there is an actor of that name. */
static int wait(actor *self, const msg *m)
{
	while (!actor_alive(actor_find(msg_str(m, 2))))
		;
	return put(self, m);
}

static int fail(actor *self, const msg *m)
{
	(void)self;
	return msg_fail_as(m, (int)msg_int(m, 0), "as it was told");
}

static int told(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	(void)m;
	return msg_reply(m, s->count, s->wrong, s->again);
}

static int never(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	s->kept[s->nevers++ % 4] = msg_defer(m);
	return 0;
}

/* But for those of the last four who are freed, in the order in which they asked. */
static int freed(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	s->freed++;
	actor_answer(self, s->kept[(s->freed - 1) % 4], s->freed);
	return msg_reply(m, s->freed);
}

static int nevers(actor *self, const msg *m)
{
	return msg_reply(m, ((struct sink *)actor_state(self))->nevers);
}

static int end(actor *self, const msg *m)
{
	(void)m;
	return actor_stop(self, actor_self(self));
}

const struct actor_type sink = {
	.name = "sink",
	.state = sizeof(struct sink),
	.budget_ms = 3600000,   /* slow() is slow on purpose */
	.on = ON({ "put", "who:int n:int", put, 0 }, { "slow", "who:int n:int ms:int", slow, 0 },
	         { "wait", "who:int n:int name:str", wait, 0 },
	         { "told", "", told, 0 }, { "never", "", never, 0 }, { "end", "", end, 0 },
	         { "freed", "", freed, 0 }, { "nevers", "", nevers, 0 },
	         { "fail", "code:int", fail, 0 }),
};
