/* SPDX-License-Identifier: MIT
 * ticker: ticks by itself; who waits for a tick is told by it. */
#include "actor.h"

struct ticker {
	int64_t ticks, until;
	msg_caller kept, alarmed;
	int64_t log[8];
	int n;
};

static int start(actor *self)
{
	return actor_after(self, 5, "tick") < 0;
}

static int tick(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);

	(void)m;
	t->ticks++;
	if (t->kept && t->ticks >= t->until) {
		actor_answer(self, t->kept, t->ticks, "shipped");
		t->kept = 0;
	}
	actor_after(self, 5, "tick");
	return 0;
}

static int wait(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);

	t->until = t->ticks + msg_int(m, 0);
	t->kept = msg_defer(m);
	return 0;
}

static int ring(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);

	t->log[t->n++] = msg_int(m, 0);
	if (msg_int(m, 0) == 3) {
		actor_answer(self, t->alarmed, t->n, t->log[0], t->log[1], t->log[2]);
		t->n = 0;
	}
	return 0;
}

static int alarms(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);
	int64_t cancelled;

	t->alarmed = msg_defer(m);
	actor_after(self, 60, "ring", 3);
	actor_after(self, 20, "ring", 1);
	cancelled = actor_after(self, 40, "ring", 2);
	if (actor_cancel(self, cancelled) || !actor_cancel(self, cancelled))
		actor_log(self, "cancel answers wrongly");
	return 0;
}

static int accuracy(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);

	t->alarmed = msg_defer(m);
	actor_after(self, (int)msg_int(m, 0), "measured", actor_now(), msg_int(m, 0));
	return 0;
}

static int measured(actor *self, const msg *m)
{
	struct ticker *t = actor_state(self);

	actor_answer(self, t->alarmed, actor_now() - msg_int(m, 0) - msg_int(m, 1));
	return 0;
}

const struct actor_type ticker = {
	.name  = "ticker",
	.state = sizeof(struct ticker),
	.start = start,
	.on    = ON({ "tick",     "",                tick,     0 },
	            { "wait",     "n:int",           wait,     ON_CLIENT },
	            { "ring",     "n:int",           ring,     0 },
	            { "alarms",   "",                alarms,   0 },
	            { "accuracy", "ms:int",          accuracy, 0 },
	            { "measured", "at:int ms:int",   measured, 0 }),
};
