/* SPDX-License-Identifier: MIT
 * faulty.c - an actor for test_contain.c: every way to fail that is to be contained, by number. */
#include "actor.h"
#include <stdio.h>
#include <string.h>

struct faulty { int64_t n; };

static int deep(int n)
{
	volatile char frame[200];

	frame[0] = (char)n;
	return deep(n + 1) + frame[0];
}

static int deep_text(int n)
{
	char frame[200];

	snprintf(frame, sizeof frame, "%d %f", n, 1.0 * n);
	return deep_text(n + 1) + frame[0];
}

static int deep_call(actor *self, int n)
{
	return actor_alive(actor_self(self)) + deep_call(self, n + 1);
}

static int large(void)
{
	volatile char frame[100000000];

	frame[0] = 1;
	return frame[0];
}

static int smash(void)
{
	char frame[16];

	memset(frame, 0x41, 4096);
	return frame[0];
}

static int fault(actor *self, const msg *m)
{
	struct faulty *s = actor_state(self);
	volatile int zero = 0;
	const char *bad = (const char *)8;

	s->n = -1;
	switch (msg_int(m, 0)) {
	case 0: *(volatile int *)0 = 1; break;
	case 1: ((void (*)(void))0x1234)(); break;
	case 2: return 1 / zero;
	case 3: return deep(0);
	case 4: return large();
	case 5: return (int)strlen(bad);
	case 6: return msg_reply(m, bad);
	case 7: actor_log(self, "%s", bad); break;
	case 8: return deep_text(0);
	case 9: return deep_call(self, 0);
	case 10: return smash();
	case 11: *(volatile char *)fault = 0; break;
	case 12: return *(volatile char *)0x8000000000000000;
	}
	return 0;
}

static int set(actor *self, const msg *m)
{
	((struct faulty *)actor_state(self))->n = msg_int(m, 0);
	return 0;
}

static int get(actor *self, const msg *m)
{
	return msg_reply(m, ((struct faulty *)actor_state(self))->n);
}

const struct actor_type faulty = {
	.name = "faulty",
	.budget_ms = 60000,             /* a stack is long to fill on a loaded machine */
	.state = sizeof(struct faulty),
	.on = ON({"fault", "kind:int", fault, 0}, {"set", "n:int", set, 0}, {"get", "", get, 0}),
};
