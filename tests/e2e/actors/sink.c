/* SPDX-License-Identifier: MIT
 * sink: takes numbered messages of others, and says whether they came once each and in order. */
#include "actor.h"

enum { SENDERS = 64 };
struct sink {
	int64_t last[SENDERS], count, wrong, again;
	msg_caller kept;
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

static int told(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	(void)m;
	return msg_reply(m, s->count, s->wrong, s->again);
}

static int never(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	s->kept = msg_defer(m);
	return 0;
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
	         { "told", "", told, 0 }, { "never", "", never, 0 }, { "end", "", end, 0 }),
};
