/* SPDX-License-Identifier: MIT
 * hurry: many patches at once, so that others wait. */
#include "actor.h"

struct hurry { int64_t timer; };

enum { EVERY_MS = 20 };

static int some(actor *self, const msg *m)
{
	for (int i = 0; i < msg_int(m, 0); i++)
		actor_send(self, actor_find("patch"), "exec", msg_str(m, 1));
	return 0;
}

/* Until there is no room for the least. */
static int fill(actor *self, const msg *m)
{
	const char *end = msg_str(m, 0) + msg_len(m, 0);
	int64_t taken = 0;

	for (size_t left = msg_len(m, 0); left; )
		if (!actor_send(self, actor_find("patch"), "exec", end - left))
			taken++;
		else
			left /= 2;
	return msg_reply(m, taken);
}

static int go(actor *self, const msg *m)
{
	struct hurry *h = actor_state(self);

	h->timer = actor_every(self, EVERY_MS, "some", msg_int(m, 0), msg_str(m, 1));
	return some(self, m);
}

static int rest(actor *self, const msg *m)
{
	struct hurry *h = actor_state(self);

	(void)m;
	return actor_cancel(self, h->timer);
}

const struct actor_type hurry = {
	.name = "hurry",
	.state = sizeof(struct hurry),
	.budget_ms = 60000,             /* fill copies megabytes: long under a sanitizer */
	.on = ON({ "some", "count:int source:str", some, 0 },
	         { "fill", "source:str", fill, 0 },
	         { "go", "count:int source:str", go, 0 }, { "rest", "", rest, 0 }),
};
