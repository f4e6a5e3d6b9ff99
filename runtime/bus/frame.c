/* SPDX-License-Identifier: MIT
 * frame.c - see frame.h. Each part is checked whole before it is handed on, so that one that is cut
 * off or declares more than there is cannot be half believed. */
#include "frame.h"

#include "../actor.h"
#include "signature.h"

enum { VERSION = 1, HEAD_WORDS = 4 };

/* Words before the values; how many there are at least is how many there are, without values. */
static const struct { unsigned words; bool values; } shapes[] = {
	[PART_SEND] = { 3, true }, [PART_ASK] = { 5, true }, [PART_ANSWER] = { 2, true },
	[PART_REFUSAL] = { 4, false }, [PART_WATCH] = { 3, false }, [PART_DOWN] = { 4, false },
	[PART_TRACE] = { 5, false }, [PART_CLIENT] = { 2, false },
	[PART_UNWATCH] = { 2, false },
};
/* Of answers that are none: no question has them. */
static const uint64_t of_user = 0, of_room = UINT64_MAX;

char *frame_key(const char *node, const char *suffix)
{
	struct buf b = { 0 };
	char *key;

	buf_printf(&b, "actord:{node:%s}%s", node, suffix);
	key = mem_string(b.p, b.len);
	buf_fini(&b);
	return key;
}

/* --- writing ------------------------------------------------------------------------------ */

void frame_begin(struct buf *out, const char *node, uint64_t life, uint64_t sequence)
{
	pack_list(out, HEAD_WORDS);
	pack_int(out, VERSION);
	pack_text(out, node);
	pack_uint(out, life);
	pack_uint(out, sequence);
}

static void begin(struct buf *out, enum part_kind kind, unsigned values)
{
	pack_list(out, shapes[kind].words + values);
	pack_int(out, kind);
}

void part_send(struct buf *out, const char *to, const char *what, unsigned values)
{
	begin(out, PART_SEND, values);
	pack_text(out, to);
	pack_text(out, what);
}

void part_ask(struct buf *out, uint64_t number, int ms, const char *to, const char *what,
              unsigned values)
{
	begin(out, PART_ASK, values);
	pack_uint(out, number);
	pack_int(out, ms);
	pack_text(out, to);
	pack_text(out, what);
}

void part_answer(struct buf *out, uint64_t number, unsigned values)
{
	begin(out, PART_ANSWER, values);
	pack_uint(out, number);
}

/* Words that people wrote may not be UTF-8. */
static void pack_words(struct buf *out, const char *s)
{
	size_t len = strlen(s);

	pack_str(out, s, len);
	utf8_mend(out->p + out->len - len, len);
}

void part_refusal(struct buf *out, uint64_t number, int code, const char *text)
{
	begin(out, PART_REFUSAL, 0);
	pack_uint(out, number);
	pack_int(out, code);
	pack_words(out, text);
}

void part_watch(struct buf *out, uint64_t number, const char *to)
{
	begin(out, PART_WATCH, 0);
	pack_uint(out, number);
	pack_text(out, to);
}

void part_unwatch(struct buf *out, uint64_t number)
{
	begin(out, PART_UNWATCH, 0);
	pack_uint(out, number);
}

void part_down(struct buf *out, uint64_t number, const char *name, const char *reason)
{
	begin(out, PART_DOWN, 0);
	pack_uint(out, number);
	pack_words(out, name);
	pack_words(out, reason);
}

void part_trace(struct buf *out, const struct trace_link *l)
{
	begin(out, PART_TRACE, 0);
	pack_uint(out, l->trace);
	pack_uint(out, l->step);
	pack_uint(out, l->depth);
	pack_bool(out, l->noted);
}

void part_client(struct buf *out)
{
	begin(out, PART_CLIENT, 0);
	pack_bool(out, true);
}

void part_room(struct buf *out, const char *name, bool room)
{
	part_answer(out, of_room, 2);
	pack_uint(out, room);
	pack_text(out, name);
}

void part_user(struct buf *out, const char *user)
{
	part_answer(out, of_user, 1);
	pack_text(out, user);
}

/* --- reading ------------------------------------------------------------------------------ */

/* What is one byte is most of it. */
static bool read_uint(struct packed *in, uint64_t *out)
{
	struct value v;

	if (likely(in->at < in->end && *in->at < 0x80)) {
		*out = *in->at++;
		return true;
	}
	if (packed_next(in, &v) != 1 || (v.type != VALUE_INT && v.type != VALUE_UINT) ||
	    (v.type == VALUE_INT && v.i < 0))
		return false;
	*out = (uint64_t)v.i;
	return true;
}

static bool read_int(struct packed *in, int *out)
{
	struct value v;

	if (packed_next(in, &v) != 1 || v.type != VALUE_INT || v.i > INT32_MAX || v.i < -INT32_MAX)
		return false;
	*out = (int)v.i;
	return true;
}

static bool read_text(struct packed *in, struct value *v)
{
	return packed_next(in, v) == 1 && v->type == VALUE_STR && utf8_valid(v->str, v->len);
}

/* The name that is in `name` already, as parts in a row are for few? */
static bool is_again(struct packed *in, const char *name)
{
	size_t len = in->at < in->end && (*in->at & 0xe0) == 0xa0 ? *in->at & 31 : 0, i = 0;

	if (!len || len >= (size_t)(in->end - in->at))
		return false;
	while (i < len && name[i] && name[i] == (char)in->at[1 + i])
		i++;
	if (i < len || name[len])
		return false;
	in->at += 1 + len;
	return true;
}

static bool read_name(struct packed *in, char name[NAME_MAX_LEN + 1])
{
	struct value v;

	if (is_again(in, name))
		return true;
	if (!read_text(in, &v) || v.len > NAME_MAX_LEN || memchr(v.str, 0, v.len))
		return false;
	memcpy(name, v.str, v.len);
	name[v.len] = 0;
	return true;
}

static bool read_words(struct packed *in, struct part *p)
{
	struct value v;

	if (!read_text(in, &v))
		return false;
	p->text = v.str;
	p->len = v.len;
	return true;
}

static bool read_link(struct packed *in, struct trace_link *l)
{
	uint64_t depth;
	struct value noted;

	if (!read_uint(in, &l->trace) || !read_uint(in, &l->step) || !read_uint(in, &depth) ||
	    depth > UINT8_MAX || packed_next(in, &noted) != 1 || noted.type != VALUE_BOOL)
		return false;
	l->depth = (uint8_t)depth;
	l->noted = noted.i;
	return true;
}

int frame_read(struct packed *in, struct frame *f, struct why *why)
{
	struct value v;
	uint64_t version = 0;

	if (packed_first(in->at, (size_t)(in->end - in->at), 1, why) < 0)
		return ACTOR_EARGS;
	packed_next(in, &v);
	if (v.type != VALUE_LIST || v.len != HEAD_WORDS || !read_uint(in, &version))
		return why_set(why, ACTOR_EARGS, "it does not begin as a frame does");
	if (version != VERSION)
		return why_set(why, ACTOR_EARGS, "its form has the number %llu, ours %d: the two "
		               "nodes' versions do not fit", (unsigned long long)version, VERSION);
	if (!read_name(in, f->node) || !f->node[0] || !read_uint(in, &f->life) ||
	    !read_uint(in, &f->sequence) || !f->sequence)
		return why_set(why, ACTOR_EARGS, "its head does not say who wrote it");
	return 0;
}

static bool read_inside(struct packed *in, struct part *p)
{
	struct value v;

	switch (p->kind) {
	case PART_SEND:
		return read_name(in, p->to) && read_name(in, p->what);
	case PART_ASK:
		return read_uint(in, &p->number) && read_int(in, &p->ms) && p->ms >= 0 &&
		       read_name(in, p->to) && read_name(in, p->what);
	case PART_ANSWER:
	case PART_UNWATCH:
		return read_uint(in, &p->number);
	case PART_REFUSAL:
		return read_uint(in, &p->number) && read_int(in, &p->code) && p->code < 0 &&
		       read_words(in, p);
	case PART_WATCH:
		return read_uint(in, &p->number) && read_name(in, p->to);
	case PART_DOWN:
		return read_uint(in, &p->number) && read_name(in, p->to) && read_words(in, p);
	case PART_TRACE:
		return read_link(in, &p->link);
	case PART_CLIENT:
		return packed_next(in, &v) == 1 && v.type == VALUE_BOOL;
	case PART_ROOM:
	case PART_USER:
	case PART_UNKNOWN:
		break;
	}
	return false;
}

/* The rest of the part, p->count values: each is checked whole. */
static int read_values(struct packed *in, struct part *p, struct why *why)
{
	p->args.at = in->at;
	for (unsigned i = 0; i < p->count; i++) {
		int64_t size = packed_first(in->at, (size_t)(in->end - in->at), VALUE_DEPTH, why);

		if (size < 0)
			return ACTOR_EARGS;
		in->at += size;
	}
	p->args.end = in->at;
	return 1;
}

/* It is for the part behind it that says or asks something. */
static bool is_ahead(const struct part *p)
{
	return p->kind == PART_TRACE || p->kind == PART_CLIENT || p->kind == PART_USER;
}

static int read_user(struct part *p, struct why *why)
{
	struct packed in = p->args;

	p->kind = PART_USER;
	if (p->count != 1 || !read_name(&in, p->user) || !p->user[0])
		return why_set(why, ACTOR_EARGS, "a part of it names no user");
	return 1;
}

static int read_room(struct part *p, struct why *why)
{
	struct packed in = p->args;

	p->kind = PART_ROOM;
	if (p->count != 2 || !read_uint(&in, &p->number) || !read_name(&in, p->to))
		return why_set(why, ACTOR_EARGS, "a part of it names no actor");
	return 1;
}

/* Of a build that knows more than this one: what it says is not known, but where it ends. */
static int read_unknown(struct packed *in, struct part *p, uint64_t kind, size_t words,
                        struct why *why)
{
	p->kind = PART_UNKNOWN;
	p->number = kind;
	p->count = (unsigned)words - 1;
	return read_values(in, p, why);
}

int frame_next(struct packed *in, struct part *p, struct why *why)
{
	uint64_t kind = 0;
	struct value v;

	if (!is_ahead(p))
		p->user[0] = 0;
	if (in->at == in->end)
		return 0;
	if (packed_next(in, &v) != 1 || v.type != VALUE_LIST || !v.len || !read_uint(in, &kind))
		return why_set(why, ACTOR_EARGS, "a part of it has no kind");
	if (kind >= ARRAY_LEN(shapes))
		return read_unknown(in, p, kind, v.len, why);
	p->kind = (enum part_kind)kind;
	if (v.len < shapes[kind].words || (v.len > shapes[kind].words && !shapes[kind].values) ||
	    v.len - shapes[kind].words > VALUES_MAX || !read_inside(in, p))
		return why_set(why, ACTOR_EARGS, "a part of kind %d has the wrong words in it",
		               (int)kind);
	p->count = (unsigned)v.len - shapes[kind].words;
	if (read_values(in, p, why) < 0)
		return ACTOR_EARGS;
	if (p->kind == PART_ANSWER && p->number == of_room)
		return read_room(p, why);
	return p->kind == PART_ANSWER && p->number == of_user ? read_user(p, why) : 1;
}
