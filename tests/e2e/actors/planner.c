/* SPDX-License-Identifier: MIT
 * planner: sets timers as it is told; who waits for the nth time one comes is answered then. */
#include "actor.h"

#include <string.h>

struct planner { int64_t timer, times, until; msg_caller kept; char value[64]; };

static int set(actor *self, const msg *m, int64_t timer)
{
	struct planner *p = actor_state(self);

	if (timer < 0)
		return msg_fail(m, "%d", (int)timer);
	p->timer = timer;
	p->times = 0;
	return 0;
}

static int every(actor *self, const msg *m)
{
	return set(self, m, actor_every(self, msg_int(m, 0), "came", msg_str(m, 1)));
}

static int cron(actor *self, const msg *m)
{
	return set(self, m, actor_cron(self, msg_str(m, 0), "came", "by the clock"));
}

static int window(actor *self, const msg *m)
{
	return set(
		self, m,
		actor_window(self, msg_int(m, 0), msg_str(m, 1), msg_str(m, 2), "came", "within"));
}

static int came(actor *self, const msg *m)
{
	struct planner *p = actor_state(self);

	p->times++;
	strncpy(p->value, msg_str(m, 0), sizeof p->value - 1);
	if (p->kept && p->times >= p->until) {
		actor_answer(self, p->kept, p->times, p->value);
		p->kept = 0;
	}
	return 0;
}

static int wait(actor *self, const msg *m)
{
	struct planner *p = actor_state(self);

	p->until = p->times + msg_int(m, 0);
	p->kept = msg_defer(m);
	return 0;
}

static int cancel(actor *self, const msg *m)
{
	struct planner *p = actor_state(self);

	return msg_reply(m, actor_cancel(self, p->timer), p->times);
}

static int far(actor *self, const msg *m)
{
	int64_t ms = 300ll * 365 * 86400000;
	int64_t never = actor_after(self, ms, "came", "never");
	int64_t past = actor_after(self, -ms, "came", "past");

	return msg_reply(m, (_Bool)(never > 0), actor_cancel(self, never), (_Bool)(past > 0));
}

const struct actor_type planner = {
	.name  = "planner",
	.state = sizeof(struct planner),
	.on    = ON({ "every",  "ms:int value:str",          every,  0 },
	            { "cron",   "when:str",                  cron,   0 },
	            { "window", "ms:int first:str last:str", window, 0 },
	            { "came",   "value:str",                 came,   0 },
	            { "wait",   "n:int",                     wait,   0 },
	            { "cancel", "",                          cancel, 0 },
	            { "far",    "",                          far,    0 }),
};
