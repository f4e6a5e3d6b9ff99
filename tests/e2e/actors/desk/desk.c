/* SPDX-License-Identifier: MIT
 * desk: asks other actors on behalf of its callers. */
#include "actor.h"
#include "desk.h"

static int start(actor *self)
{
	struct desk *d = actor_state(self);

	d->gate = actor_find("gate");
	d->counter = actor_find("counter");
	d->nobody = actor_find("nobody");
	return 0;
}

static int keep(struct desk *d, const msg *m, int64_t asked)
{
	int i = desk_slot(d, 0);

	if (asked < 0)
		return msg_fail(m, "refused at once: %d", (int)asked);
	if (i == DESK_SIZE)
		return msg_fail(m, "no slot");
	d->asked[i] = asked;
	d->kept[i] = msg_defer(m);
	return 0;
}

static int count(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return keep(d, m, actor_ask(self, d->counter, "hit", "told", 5000, msg_int(m, 0)));
}

static int misspell(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return keep(d, m, actor_ask(self, d->counter, "hit", "told", 5000, "one"));
}

static int nobody(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return keep(d, m, actor_ask(self, d->nobody, "hit", "told", 5000, 1));
}

static int through(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return keep(d, m, actor_ask(self, d->gate, "pass", "told", (int)msg_int(m, 0)));
}

static int pass_on(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return keep(d, m, actor_ask(self, d->gate, msg_str(m, 0), "told", 5000));
}

static int told(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);
	int i = desk_slot(d, msg_ask(m));

	if (i == DESK_SIZE)
		return 0;
	d->asked[i] = 0;
	if (msg_error(m))
		return actor_refuse(self, d->kept[i], "%d %s", msg_error(m), msg_error_text(m));
	return actor_answer(self, d->kept[i], "told", msg_count(m),
	                    msg_type(m, 0) == MSG_INT ? msg_int(m, 0) : -1);
}

static int forward(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return msg_forward(m, d->counter, "hit");
}

static int version(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, DESK_SIZE, (int)sizeof(struct desk));
}

const struct actor_type desk = {
	.name  = "desk",
	.state = sizeof(struct desk),
	.start = start,
	.on    = ON({ "count",    "by:int",   count,    ON_CLIENT },
	            { "misspell", "",         misspell, 0 },
	            { "nobody",   "",         nobody,   0 },
	            { "through",  "ms:int",   through,  0 },
	            { "pass_on",  "what:str", pass_on,  0 },
	            { "told",     "...",      told,     0 },
	            { "forward",  "by:int",   forward,  0 },
	            { "version",  "",         version,  0 }),
};
