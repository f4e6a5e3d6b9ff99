/* SPDX-License-Identifier: MIT
 * book - keeps what is written to it, and tells it. */
#include "actor.h"

enum { LINES = 4096 };
struct book { int64_t line[LINES]; int n; };

static int write(actor *self, const msg *m)
{
	struct book *b = actor_state(self);

	if (b->n < LINES)
		b->line[b->n++] = msg_int(m, 0);
	return 0;
}

static int read(actor *self, const msg *m)
{
	struct book *b = actor_state(self);
	msg_out *o = msg_values(self);

	out_list(o, (unsigned)b->n);
	for (int i = 0; i < b->n; i++)
		out_int(o, b->line[i]);
	return msg_reply_out(m, o);
}

static int clear(actor *self, const msg *m)
{
	struct book *b = actor_state(self);

	(void)m;
	b->n = 0;
	return 0;
}

const struct actor_type book = {
	.name = "book", .state = sizeof(struct book),
	.on = ON({ "write", "line:int", write, 0 }, { "read", "", read, 0 },
	         { "clear", "", clear, 0 }),
};
