/* SPDX-License-Identifier: MIT
 * museum: has something of everything that can be looked at. */
#include "actor.h"

#include <stdbool.h>

enum colour { RED, GREEN };

struct place { int x, y; };
struct museum {
	int64_t visits;
	int small;
	unsigned char tiny;
	bool open;
	double share;
	char title[12];
	struct place at;
	int rooms[3];
	enum colour colour;
	const char *motto;
	unsigned bit : 3;
	int low : 4;
};

static int later(actor *self, const msg *m)
{
	(void)self, (void)m;
	return 0;
}

static int start(actor *self)
{
	struct museum *s = actor_state(self);

	*s = (struct museum){ -7, -1, 200, true, 0.5, "open day", { 3, -4 }, { 1, 2, 3 }, GREEN, 0,
	                      5, -2 };
	actor_every(self, 3600000, "later");
	actor_after(self, 7200000, "later");
	return 0;
}

/* Asks whom it is told to, and keeps its caller until that answers. */
static int ask(actor *self, const msg *m)
{
	msg_defer(m);
	actor_ask(self, actor_find(msg_str(m, 0)), "ask", "later", 60000, "nobody");
	return 0;
}

static int bear(actor *self, const msg *m)
{
	actor_ref child = actor_spawn(self, "museum", msg_str(m, 0));

	actor_monitor(self, child, "later");
	actor_link(self, child);
	return child ? 0 : msg_fail(m, "%s", actor_why(self));
}

static int loop(actor *self, const msg *m)
{
	int64_t end = actor_now() + msg_int(m, 0);

	(void)self;
	while (actor_now() < end)
		;
	return 0;
}

const struct actor_type museum = {
	.name = "museum", .state = sizeof(struct museum), .start = start, .budget_ms = 60000,
	.on = ON({ "later", "...", later, 0 }, { "ask", "whom:str", ask, 0 },
	         { "bear", "name:str", bear, 0 }, { "loop", "ms:int", loop, 0 },
	         { "pause", "ms:int", loop, 0 }),
};
