/* SPDX-License-Identifier: MIT
 * shapes: reads and writes whatever values there are. */
#include "actor.h"
#include <string.h>

static int64_t sum_of(struct msg_items items)
{
	struct msg_item item;
	int64_t sum = 0;

	while (msg_next(&items, &item))
		if (item.type == MSG_LIST || item.type == MSG_MAP)
			sum += sum_of(item.items);
		else if (item.type == MSG_STR || item.type == MSG_BYTES)
			sum += (int64_t)item.len;
		else
			sum += item.type == MSG_NUM ? (int64_t)item.num : item.i;
	return sum;
}

static int sum(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, sum_of(msg_items(m, 0)), (int64_t)msg_len(m, 0));
}

static int types(actor *self, const msg *m)
{
	static const char *const names[] = {
		"null", "int", "num", "bool", "str", "bytes", "list", "map" };
	msg_out *o = msg_values(self);
	int i;

	out_list(o, (unsigned)msg_count(m));
	for (i = 0; i < msg_count(m); i++)
		out_str(o, names[msg_type(m, i)]);
	return msg_reply_out(m, o);
}

static int build(actor *self, const msg *m)
{
	msg_out *o = msg_values(self);
	int64_t i;

	out_null(o);
	out_bool(o, 1);
	out_num(o, 2.5);
	out_map(o, 2);
	out_str(o, "a");
	out_list(o, (unsigned)msg_int(m, 0));
	for (i = 0; i < msg_int(m, 0); i++)
		out_int(o, i);
	out_text(o, "two words", 3);
	out_value(o, m, 1);
	return msg_reply_out(m, o);
}

static int unfinished(actor *self, const msg *m)
{
	msg_out *o = msg_values(self);

	out_list(o, 5);
	out_int(o, 1);
	return msg_reply_out(m, o);
}

static int eight(actor *self, const msg *m)
{
	char text[8] = "array";
	unsigned char u = 255;
	float f = 0.5f;

	(void)self;
	return msg_reply(m, -1, u, 1ULL << 62, f, 2.5, text, "literal", (short)-3);
}

const struct actor_type shapes = {
	.name = "shapes",
	.on   = ON({ "sum",        "of:any",        sum,        ON_CLIENT },
	           { "types",      "...",           types,      ON_CLIENT },
	           { "build",      "n:int of:any?", build,      0 },
	           { "unfinished", "",              unfinished, 0 },
	           { "eight",      "",              eight,      0 }),
};
