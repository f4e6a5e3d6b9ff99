/* SPDX-License-Identifier: MIT
 * gate: keeps its callers until it is opened, then answers them in the order they came. */
#include "actor.h"

struct gate { msg_caller kept[64]; int n; };

static int pass(actor *self, const msg *m)
{
	struct gate *g = actor_state(self);

	if (g->n == 64)
		return msg_fail(m, "full: %d wait already", g->n);
	g->kept[g->n++] = msg_defer(m);
	return 0;
}

static int open_all(actor *self, const msg *m)
{
	struct gate *g = actor_state(self);
	int i;

	for (i = 0; i < g->n; i++)
		actor_answer(self, g->kept[i], i, msg_str(m, 0), 0.5);
	g->n = 0;
	return msg_reply(m, i);
}

static int refuse_all(actor *self, const msg *m)
{
	struct gate *g = actor_state(self);

	while (g->n)
		actor_refuse(self, g->kept[--g->n], "closed for %s", msg_str(m, 0));
	return 0;
}

static int waiting(actor *self, const msg *m)
{
	struct gate *g = actor_state(self);

	return msg_reply(m, g->n);
}

static int twice(actor *self, const msg *m)
{
	(void)self;
	msg_reply(m, 1);
	msg_reply(m, 2);
	return 0;
}

static int silent(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	return 0;
}

static int wrong(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	return ACTOR_EFULL;
}

const struct actor_type gate = {
	.name  = "gate",
	.state = sizeof(struct gate),
	.on    = ON({ "pass",    "",        pass,       ON_CLIENT },
	            { "open",    "who:str", open_all,   ON_CLIENT },
	            { "refuse",  "who:str", refuse_all, ON_CLIENT },
	            { "waiting", "",        waiting,    ON_CLIENT },
	            { "twice",   "",        twice,      0 },
	            { "silent",  "",        silent,     0 },
	            { "wrong",   "",        wrong,      0 }),
};
