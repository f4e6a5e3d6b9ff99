/* SPDX-License-Identifier: MIT
 * diary: writes down the numbers it is told; an order kept is an order seen. */
#include "actor.h"

struct diary { int64_t last, disorder, count; };

static int note(actor *self, const msg *m)
{
	struct diary *d = actor_state(self);

	d->disorder += msg_int(m, 0) != d->last + 1;
	d->last = msg_int(m, 0);
	d->count++;
	return 0;
}

static int read(actor *self, const msg *m)
{
	struct diary *d = actor_state(self);

	return msg_reply(m, d->count, d->disorder);
}

const struct actor_type diary = {
	.name  = "diary",
	.state = sizeof(struct diary),
	.on    = ON({ "note", "n:int", note, 0 }, { "read", "", read, 0 }),
};
