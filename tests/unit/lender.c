/* SPDX-License-Identifier: MIT
 * lender.c - an actor for test_exports.c: calls a function of actor.h that it is told with good
 * arguments, but for one; and writes values of any length. */
#include "actor.h"
#include <string.h>

/* One good argument of each kind; the letters are test_exports.c's. */
static int64_t good(actor *self, const msg *m, char kind)
{
	static const char types[] = "i", nil[] = "\xc0";
	static struct actor_site site;
	static const uint64_t values[] = { 1 };
	static char room[64];
	static struct msg_items items;
	static struct msg_item item;
	static int64_t total;

	switch (kind) {
	case 'A': return (int64_t)self;
	case 'M': return (int64_t)m;
	case 'O': return (int64_t)msg_values(self);
	case 'T': return (int64_t)"lender";
	case 'S':
		site = (struct actor_site){ 0, types, 1, 0 };
		return (int64_t)&site;
	case 'V': return (int64_t)values;
	case 'R': return (int64_t)room;
	case 'L':
		items = (struct msg_items){ (const unsigned char *)nil,
		                            (const unsigned char *)nil + 1 };
		return (int64_t)&items;
	case 'I': return (int64_t)&item;
	case 'N': return (int64_t)&total;
	case 'P': return (int64_t)actor_alloc(self, 8);
	}
	return 1;
}

/* What is readable, but is not what it is taken for. */
static int64_t other(actor *self)
{
	static uint64_t zeros[64];
	msg_out *sent = msg_values(self);

	actor_send_out(self, actor_self(self), "sink", sent);
	return (int64_t)(zeros + 8 - (uint64_t)zeros / 8 % 8);
}

/* function:int kinds:str bad:int value:int: argument `bad` is value, or where that is 0 other(). */
static int lend(actor *self, const msg *m)
{
	const char *kinds = msg_str(m, 1);
	int64_t a[8] = { 0 };

	for (int i = 0; kinds[i]; i++)
		a[i] = i != msg_int(m, 2) ? good(self, m, kinds[i]) :
		       msg_int(m, 3) ? msg_int(m, 3) : other(self);
	((int64_t (*)(int64_t, ...))msg_int(m, 0))(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
	return msg_reply(m, 1);
}

/* One that was sent: 0. What is no table of a type, or has a bad handler in it: 1, 2. Text that
 * cannot be written: 3. */
static int misuse(actor *self, const msg *m)
{
	static const struct actor_handler on[] = { { (const char *)8, "", 0, 0 } };
	static const struct actor_type type = { .name = "unheard-of", .on = on };
	msg_out *o = msg_values(self);

	switch (msg_int(m, 0)) {
	case 0:
		actor_send_out(self, actor_self(self), "sink", o);
		out_int(o, 1);
		break;
	case 1: actor_spawn(self, (const struct actor_type *)8, "x"); break;
	case 2: actor_spawn(self, &type, "x"); break;
	case 3: client_str(0, KEEP_LOCAL, "key", (char *)misuse, 10); break;
	case 4: actor_send(self, actor_self(self), "sink", (char *)8); break;
	}
	return msg_reply(m, 1);
}

/* Far more than a message is, a little at a time. */
static void many(msg_out *o)
{
	static const char part[256 << 10];

	out_list(o, 1000);
	for (int i = 0; i < 1000; i++)
		out_bytes(o, part, sizeof part);
}

/* kind:int len:int */
static int write(actor *self, const msg *m)
{
	size_t len = (size_t)msg_int(m, 1);
	msg_out *o = msg_values(self);
	char *at = (char *)1;

	switch (msg_int(m, 0)) {
	case 0:
		at = out_room(o, len);
		break;
	case 1: out_text(o, "text", len); break;
	case 2: out_bytes(o, "text", len); break;
	case 3: many(o); break;
	}
	if (!at)
		out_str(o, "what follows is dropped");
	return msg_reply_out(m, o);
}

static int sink(actor *self, const msg *m)
{
	(void)self, (void)m;
	return 0;
}

const struct actor_type lender = {
	.name = "lender",
	.budget_ms = 60000,             /* of a loaded machine */
	.on = ON({ "lend", "function:int kinds:str bad:int value:int", lend, 0 },
	         { "misuse", "kind:int", misuse, 0 }, { "write", "kind:int len:int", write, 0 },
	         { "sink", "...", sink, 0 }),
};
