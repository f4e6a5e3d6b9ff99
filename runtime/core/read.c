/* SPDX-License-Identifier: MIT
 * read.c - reading a message: actor.h's msg_ functions.
 *
 * The message was checked against the handler's signature, so a value has the type that the handler
 * expects; what is absent, or asked for as something else, reads as 0, "" or nothing. */
#include "core.h"
#include "message.h"
#include "sync.h"
#include "table.h"

static _Atomic actor_id again[AGAIN_MOST];      /* whose messages may have been handled before */

static unsigned values(const msg *m)
{
	return unlikely(m->flags & MSG_ERR) ? 0 : m->n;
}

int msg_count(const msg *m)
{
	return (int)values(m);
}

/* VALUE_NULL where there is none. */
static enum value_type tag(const msg *m, int i)
{
	return (unsigned)i < values(m) ? msg_tag(m, (unsigned)i) : VALUE_NULL;
}

static double num_of(uint64_t bits)
{
	double num;

	memcpy(&num, &bits, sizeof num);
	return num;
}

enum msg_type msg_type(const msg *m, int i)
{
	enum value_type t = tag(m, i);

	return t == VALUE_UINT ? MSG_NUM : (enum msg_type)t;
}

int64_t msg_int(const msg *m, int i)
{
	enum value_type t = tag(m, i);
	uint64_t slot;

	if (likely(t == VALUE_INT || t == VALUE_BOOL))
		return (int64_t)msg_slots(m)[i];
	slot = t == VALUE_NUM ? msg_slots(m)[i] : 0;
	/* Only within an int's bounds is the conversion defined. */
	return num_of(slot) > -9.2e18 && num_of(slot) < 9.2e18 ? (int64_t)num_of(slot) : 0;
}

double msg_num(const msg *m, int i)
{
	switch (tag(m, i)) {
	case VALUE_NUM:  return num_of(msg_slots(m)[i]);
	case VALUE_INT:
	case VALUE_BOOL: return (double)(int64_t)msg_slots(m)[i];
	case VALUE_UINT: return (double)msg_slots(m)[i];
	default:         return 0;
	}
}

const char *msg_str(const msg *m, int i)
{
	enum value_type t = tag(m, i);

	return t == VALUE_STR || t == VALUE_BYTES ? msg_body(m) + (msg_slots(m)[i] >> 32) : "";
}

struct msg_items msg_items(const msg *m, int i)
{
	struct msg_items none = { NULL, NULL };
	struct packed in;
	struct value v;
	struct arg a;

	if (tag(m, i) != VALUE_LIST && tag(m, i) != VALUE_MAP)
		return none;
	arg_of_message(&a, m, (unsigned)i);
	in = (struct packed){ a.p, (const uint8_t *)a.p + a.len };
	packed_next(&in, &v);
	return (struct msg_items){ in.at, in.end };
}

size_t msg_len(const msg *m, int i)
{
	enum value_type t = tag(m, i);
	struct packed in;
	struct value v;
	struct arg a;

	if (t < VALUE_STR || t > VALUE_MAP)
		return 0;
	arg_of_message(&a, m, (unsigned)i);
	if (t == VALUE_STR || t == VALUE_BYTES)
		return a.len;
	in = (struct packed){ a.p, (const uint8_t *)a.p + a.len };
	packed_next(&in, &v);
	return v.len;
}

int msg_next(struct msg_items *from, struct msg_item *item)
{
	struct packed in = { from->at, from->end }, whole = in;
	struct value v;

	if (packed_next(&in, &v) != 1)
		return 0;
	*item = (struct msg_item){ .type = v.type == VALUE_UINT ? MSG_NUM : (enum msg_type)v.type,
	                           .len = v.len, .i = v.i, .num = v.num, .str = v.str };
	if (v.type == VALUE_LIST || v.type == VALUE_MAP) {
		item->items.at = in.at;
		in = whole;
		packed_skip(&in);
		item->items.end = in.at;
	}
	from->at = in.at;
	return 1;
}

actor_ref msg_from(const msg *m)
{
	return m->from;
}

int msg_error(const msg *m)
{
	return m->flags & MSG_ERR ? (int)(int64_t)msg_slots(m)[0] : 0;
}

const char *msg_error_text(const msg *m)
{
	return m->flags & MSG_ERR ? msg_body(m) + (msg_slots(m)[1] >> 32) : "";
}

void core_set_again(int which, actor_id who)
{
	STORE(&again[which], who);
}

int msg_again(const msg *m)
{
	const struct actor *a = cell_at((uint32_t)m->from);

	if (!m->from || m->from == LOAD(&again[0]) || m->from == LOAD(&again[1]))
		return m->from != 0;
	return (uint32_t)m->from < cell_limit && LOAD_ACQUIRE(&a->gen) == m->from >> 32 &&
	       cell_type(a)->again;
}

int64_t msg_ask(const msg *m)
{
	return m->flags & MSG_ANSWER ? (int64_t)m->corr : 0;
}

int msg_pack(const msg *m, int first, struct buf *out)
{
	int n = (int)values(m) - first;

	if (n <= 0)
		return 0;
	message_pack(m, (unsigned)first, out);
	return n;
}

enum origin msg_origin(const msg *m)
{
	return (enum origin)(m->flags >> MSG_ORIGIN_SHIFT);
}
