/* SPDX-License-Identifier: MIT
 * out.c - msg_out: values one after the other, for what does not fit a call of eight.
 *
 * The values are packed as they come and go the way of a message from outside. What a handler began
 * and did not send is freed when it returns. Lengths often come from messages, so what would be
 * more than a message may be is dropped, and whoever sends the rest is told. */
#include <stdlib.h>

#include "life.h"

struct msg_out {
	struct msg_out *next;           /* of the handler that runs */
	struct buf packed;
	unsigned count;                 /* values at the outermost level */
	uint64_t inside;                /* items still to come of lists and maps that are open */
	bool large;                     /* more than a message may be: its values are gone */
};

msg_out *msg_values(actor *self)
{
	struct worker *w = worker_self;
	msg_out *o = mem_alloc(sizeof *o);

	(void)self;
	o->next = w->outs;
	w->outs = o;
	return o;
}

static void out_free(msg_out *o)
{
	struct msg_out **at = &worker_self->outs;

	while (*at && *at != o)
		at = &(*at)->next;
	if (*at)
		*at = o->next;
	buf_fini(&o->packed);
	mem_free(o);
}

void life_drop_outs(struct worker *w)
{
	while (w->outs)
		out_free(w->outs);
}

bool life_has_out(const struct worker *w, const msg_out *o)
{
	const msg_out *at = w->outs;

	while (at && at != o)
		at = at->next;
	return at;
}

/* One more value of so many bytes begins; more of them belong to it. Where it goes, a head and all;
 * what is too large goes nowhere: that is emptied with the next value. */
static struct buf *begin(msg_out *o, uint64_t more, size_t *len)
{
	if (o->packed.len > MESSAGE_MAX || *len > MESSAGE_MAX)
		o->large = true;
	if (o->large) {
		buf_clear(&o->packed);
		*len = 0;
	}
	if (o->inside)
		o->inside--;
	else
		o->count++;
	o->inside += more;
	return &o->packed;
}

static struct buf *small(msg_out *o, uint64_t more)
{
	size_t len = 0;

	return begin(o, more, &len);
}

void out_null(msg_out *o)
{
	pack_null(small(o, 0));
}

void out_int(msg_out *o, int64_t v)
{
	pack_int(small(o, 0), v);
}

void out_num(msg_out *o, double v)
{
	pack_num(small(o, 0), v);
}

void out_bool(msg_out *o, int v)
{
	pack_bool(small(o, 0), v);
}

void out_str(msg_out *o, const char *s)
{
	if (s)
		out_text(o, s, strlen(s));
	else
		out_null(o);
}

void out_text(msg_out *o, const char *s, size_t len)
{
	struct buf *b = begin(o, 0, &len);

	pack_str(b, s, len);
}

/* The head by hand, as msgpack-c writes none without its text. */
char *out_room(msg_out *o, size_t len)
{
	struct buf *b = begin(o, 0, &len);
	uint8_t head[5] = {0xdb, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
			   (uint8_t)len};

	if (o->large)
		return NULL;
	buf_add(b, head, sizeof head);
	buf_reserve(b, len);
	memset(b->p + b->len, ' ', len);
	b->len += len;
	return b->p + b->len - len;
}

void out_bytes(msg_out *o, const void *p, size_t len)
{
	struct buf *b = begin(o, 0, &len);

	pack_bytes(b, p, len);
}

void out_list(msg_out *o, unsigned items)
{
	pack_list(small(o, items), items);
}

void out_map(msg_out *o, unsigned pairs)
{
	pack_map(small(o, 2 * (uint64_t)pairs), pairs);
}

void out_value(msg_out *o, const msg *m, int i)
{
	struct buf *b = small(o, 0);

	if (i < 0 || i >= msg_count(m))
		pack_null(b);
	else
		message_pack_one(m, (unsigned)i, b);
}

/* Is it whole: every list and map has what it announced, every str is UTF-8? NULL: it is. */
static const char *flaw(const msg_out *o)
{
	if (o->large || o->packed.len > MESSAGE_MAX)
		return "that is too large: a message is at most 16 MiB";
	if (packed_check(o->packed.p, o->packed.len, (int)o->count, NULL) < 0)
		return "the values are not whole: a list or map lacks items, or a str is no UTF-8";
	return NULL;
}

static int whole(const msg_out *o)
{
	const char *text = flaw(o);

	return text ? why_set(&kin_why, ACTOR_EARGS, "%s", text) : 0;
}

static struct packed packed(const msg_out *o)
{
	const uint8_t *p = (const uint8_t *)o->packed.p;

	return (struct packed){ p, p + o->packed.len };
}

int actor_send_out(actor *self, actor_ref to, const char *what, msg_out *o)
{
	struct worker *w = worker_acquire();
	struct letter l = { .to = to, .what = what, .from = cell_id(self), .origin = w->origin };
	int rc = whole(o);

	if (!rc)
		rc = send_packed(w, &l, packed(o), o->count, &kin_why);
	out_free(o);
	worker_release(w);
	return rc;
}

int64_t actor_ask_out(actor *self, actor_ref to, const char *what, const char *then, int ms,
		      msg_out *o)
{
	struct worker *w = worker_acquire();
	struct letter l = { .to = to, .what = what, .origin = w->origin };
	int64_t number = whole(o);

	if (!number)
		number = ask_send(w, self, &l, packed(o), o->count, then, ms, &kin_why);
	out_free(o);
	worker_release(w);
	return number;
}

int actor_answer_out(actor *self, msg_caller to, msg_out *o)
{
	const char *why = flaw(o);
	int rc = ACTOR_EARGS;

	if (why)
		actor_refuse(self, to, "%s", why);
	else
		rc = core_answer(self, to, packed(o), o->count, 0, NULL);
	out_free(o);
	return rc;
}

int msg_reply_out(const msg *m, msg_out *o)
{
	struct arg args[VALUES_MAX];
	struct why why;
	const char *text = flaw(o);
	int rc = text ? why_set(&why, ACTOR_EARGS, "%s", text)
		      : args_of_packed(args, packed(o), o->count, &why);

	if (rc < 0)
		msg_fail(m, "%s", why.text);
	else
		ask_reply(m, args, o->count);
	out_free(o);
	return rc;
}

int msg_forward(const msg *m, actor_ref to, const char *what)
{
	struct worker *w = worker_self;
	struct arg args[VALUES_MAX];
	struct letter l = { .to = to, .what = what, .from = m->from, .origin = w->origin,
	                    .corr = m->flags & MSG_ANSWER ? 0 : m->corr };
	struct why why;
	int rc;

	for (unsigned i = 0; i < (unsigned)msg_count(m); i++)
		arg_of_message(&args[i], m, i);
	rc = send_args(w, &l, args, (unsigned)msg_count(m), &why);
	/* That somebody is not there is not said of who was asked; that there is no room now is. */
	if (rc < 0)
		return msg_fail_as(m, rc == ACTOR_EFULL ? rc : ACTOR_EFAIL, "%s", why.text);
	if (!(m->flags & MSG_ANSWER))
		((struct msg *)(uintptr_t)m)->corr = 0;         /* who gets it answers */
	return 0;
}
