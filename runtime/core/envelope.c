/* SPDX-License-Identifier: MIT
 * envelope.c - reads and writes the one schema that messages have outside the process.
 *
 *   JSON --json_read_deep--> packed in scratch --.
 *   msgpack -------------------------------------+--> one walk over the map --> envelope
 *
 * There is one walk for both encodings. It goes on after a wrong value, so that whoever sent it can
 * be told; it ends where the bytes do. Texts get their NUL last, when nothing is read any more:
 * in scratch by moving one byte down, over their head; from foreign bytes by a copy.
 * No state: any thread. What an actor of that name would say of it is not known here. */
#include "envelope.h"

#include "../actor.h"
#include "json.h"
#include "signature.h"

struct reader {
	struct envelope *e;
	struct packed in;
	struct why *why;
	int failed;             /* the first error: why tells of it */
	unsigned seen;          /* bits of enum key */
	bool broken;            /* an argument is no value at all */
};

enum key { TPC, FUNC, ARGS, CB, CT, ID, PID, ERR, TRACE, UNKNOWN };
static const char *const keys[] = { "tpc", "func", "args", "cb", "ct", "id", "pid", "err",
	"trace" };
static const uint8_t key_lens[] = { 3, 4, 4, 2, 2, 2, 3, 3, 5 };

static struct text *text_of(struct envelope *e, enum key k)
{
	switch (k) {
	case TPC: return &e->tpc;
	case FUNC: return &e->func;
	case CB: return &e->cb;
	case CT: return &e->ct;
	case PID: return &e->pid;
	case TRACE: return &e->trace;
	default: return NULL;
	}
}

bool envelope_is(const void *bytes, size_t len)
{
	const uint8_t *at = bytes, *end;

	if (len == 0)
		return false;
	end = at + len;
	if ((*at & 0xf0) == 0x80 || *at == 0xde || *at == 0xdf)
		return true;
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
		at++;
	return at < end && *at == '{';
}

/* --- reading ------------------------------------------------------------------ */
#define REFUSE(r, ...) \
	((r)->failed ? (r)->failed : ((r)->failed = why_set((r)->why, ACTOR_EARGS, __VA_ARGS__)))

static enum key find_key(const struct text *t)
{
	for (unsigned k = 0; k < UNKNOWN; k++) {
		size_t i = 0;

		if (t->len != key_lens[k])
			continue;
		while (i < t->len && t->p[i] == keys[k][i])
			i++;
		if (i == t->len)
			return (enum key)k;
	}
	return UNKNOWN;
}

/* A str of up to 31 bytes, as keys and names are, whose head is one byte; false: something else is
 * there. A quarter of the time to read a client's call. */
static bool take_short(struct packed *in, struct text *to)
{
	size_t left = (size_t)(in->end - in->at), len;

	if (left < 2 || (*in->at & 0xe0) != 0xa0)
		return false;
	len = *in->at & 31;
	if (len >= left)
		return false;
	*to = (struct text){ (const char *)in->at + 1, len };
	in->at += 1 + len;
	return true;
}

/* Neither NUL nor what UTF-8 has to be looked at for. */
static bool is_plain(const struct text *t)
{
	size_t i = 0;

	while (i < t->len && (uint8_t)(t->p[i] - 1) < 0x7f)
		i++;
	return i == t->len;
}

/* Behind a head v: passes over what a list or map holds. */
static int skip_inside(struct packed *in, const struct value *v)
{
	size_t left = v->type == VALUE_LIST ? v->len : v->type == VALUE_MAP ? 2 * v->len : 0;

	for (; left > 0; left--)
		if (packed_skip(in) != 0)
			return -1;
	return 0;
}

static int read_text(struct reader *r, enum key k, struct text *to)
{
	struct packed at = r->in;
	struct text name;
	struct value v;

	if (take_short(&at, &name) && is_plain(&name)) {
		r->in = at;
		*to = name;
		return 0;
	}
	if (packed_next(&r->in, &v) != 1)
		return -1;
	if (v.type != VALUE_STR)
		REFUSE(r, "%s must be a str, got %s", keys[k], value_name(v.type));
	else if (!utf8_valid(v.str, v.len) || (k != ERR && memchr(v.str, 0, v.len) != NULL))
		REFUSE(r, "%s must be UTF-8 without NUL bytes", keys[k]);
	else
		*to = (struct text){ v.str, v.len };
	return skip_inside(&r->in, &v);
}

/* One of another type is somebody else's key. */
static int read_trace(struct reader *r)
{
	struct packed at = r->in;
	struct value v;

	if (packed_next(&at, &v) == 1 && v.type == VALUE_STR && utf8_valid(v.str, v.len) &&
	    !memchr(v.str, 0, v.len))
		r->e->trace = (struct text){ v.str, v.len };
	return packed_skip(&r->in);
}

static int read_id(struct reader *r)
{
	struct packed id = { r->in.at, NULL };
	struct value v;

	if (packed_next(&r->in, &v) != 1)
		return -1;
	id.end = r->in.at;
	if (v.type == VALUE_STR && !utf8_valid(v.str, v.len))
		REFUSE(r, "id must be UTF-8");
	else if (v.type == VALUE_STR || v.type == VALUE_INT || v.type == VALUE_UINT)
		r->e->id = id;
	else
		REFUSE(r, "id must be a str or an int, got %s", value_name(v.type));
	return skip_inside(&r->in, &v);
}

static int read_args(struct reader *r)
{
	struct value v;
	struct why why;
	unsigned i, refused = 0;
	int64_t size;

	if (packed_next(&r->in, &v) != 1)
		return -1;
	if (v.type != VALUE_LIST || v.len > VALUES_MAX) {
		if (v.type != VALUE_LIST)
			REFUSE(r, "args must be a list, got %s", value_name(v.type));
		else
			REFUSE(r, "args holds %zu values, a message takes %d: pass a list", v.len,
			       VALUES_MAX);
		return skip_inside(&r->in, &v);
	}
	for (i = 0; i < v.len; i++) {
		size = packed_first(r->in.at, (size_t)(r->in.end - r->in.at), VALUE_DEPTH, &why);
		if (size >= 0) {
			r->in.at += size;
			continue;
		}
		REFUSE(r, "argument %u: %s", i + 1, why.text);
		refused++;
		if (packed_skip(&r->in) != 0)
			return -1;
	}
	r->broken = refused > 0;
	if (r->broken)
		return 0;
	r->e->args = (struct packed){ v.inside, r->in.at };
	r->e->count = (unsigned)v.len;
	return 0;
}

static int read_code(struct reader *r)
{
	struct value v;

	if (packed_next(&r->in, &v) != 1)
		return -1;
	if (v.type != VALUE_INT || v.i > INT32_MAX || v.i < INT32_MIN)
		REFUSE(r, "err.code must be an int of 32 bits, got %s", value_name(v.type));
	else if (v.i != 0)
		r->e->err_code = (int)v.i;
	return skip_inside(&r->in, &v);
}

/* An err without a code is a failure all the same. */
static int read_err(struct reader *r)
{
	struct value v, key;
	size_t i;
	int failed;

	if (packed_next(&r->in, &v) != 1)
		return -1;
	if (v.type != VALUE_MAP) {
		REFUSE(r, "err must be a map, got %s", value_name(v.type));
		return skip_inside(&r->in, &v);
	}
	r->e->err_code = ACTOR_EFAIL;
	for (i = 0; i < v.len; i++) {
		if (packed_next(&r->in, &key) != 1 || skip_inside(&r->in, &key) != 0)
			return -1;
		if (key.type == VALUE_STR && key.len == 4 && memcmp(key.str, "code", 4) == 0)
			failed = read_code(r);
		else if (key.type == VALUE_STR && key.len == 4 && memcmp(key.str, "text", 4) == 0)
			failed = read_text(r, ERR, &r->e->err_text);
		else
			failed = packed_skip(&r->in);
		if (failed)
			return failed;
	}
	return 0;
}

/* -1: broken. */
static int read_key(struct reader *r)
{
	struct text name;
	struct value key;

	if (!take_short(&r->in, &name)) {
		if (packed_next(&r->in, &key) != 1 || skip_inside(&r->in, &key) != 0)
			return -1;
		if (key.type != VALUE_STR)
			return UNKNOWN;
		name = (struct text){ key.str, key.len };
	}
	return find_key(&name);
}

static int read_pair(struct reader *r)
{
	int k = read_key(r);

	if (k < 0)
		return -1;
	if (k == UNKNOWN)
		return packed_skip(&r->in);
	if (r->seen & 1u << k) {
		REFUSE(r, "the key %s comes twice", keys[k]);
		return packed_skip(&r->in);
	}
	r->seen |= 1u << k;
	if (r->in.at < r->in.end && *r->in.at == 0xc0)   /* null: as if it were absent */
		return packed_skip(&r->in);
	switch (k) {
	case ARGS: return read_args(r);
	case ID: return read_id(r);
	case ERR: return read_err(r);
	case TRACE: return read_trace(r);
	default: return read_text(r, (enum key)k, text_of(r->e, (enum key)k));
	}
}

static int read_map(struct reader *r)
{
	size_t size = (size_t)(r->in.end - r->in.at), i;
	const uint8_t *begin = r->in.at;
	struct value map;

	if (packed_next(&r->in, &map) != 1 || map.type != VALUE_MAP)
		return REFUSE(r, "msgpack: the map declares more than the %zu bytes here", size);
	for (i = 0; i < map.len; i++)
		if (read_pair(r) != 0)
			return REFUSE(r, "msgpack: broken or cut off at byte %td of %zu",
			              r->in.at - begin, size);
	if (r->in.at < r->in.end)
		return REFUSE(r, "msgpack: the map ends at byte %td of %zu", r->in.at - begin,
		              size);
	r->e->formed = !r->broken;
	if (r->failed == 0 && r->e->func.len == 0 && r->e->err_code == 0)
		return REFUSE(r, "func is missing or empty: name the handler to call");
	return r->failed;
}

/* Every text's NUL; see the top. own: the texts are in scratch already. */
static void end_texts(struct envelope *e, struct buf *scratch, bool own)
{
	struct text *all[] = { &e->tpc, &e->func, &e->cb, &e->ct, &e->pid, &e->err_text,
	                       &e->trace };
	size_t need = 0, i;
	char *to;

	for (i = 0; i < ARRAY_LEN(all) && !own; i++)
		need += all[i]->p != NULL ? all[i]->len + 1 : 0;
	buf_reserve(scratch, need);
	for (i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i]->p == NULL)
			continue;
		to = scratch->p + (own ? all[i]->p - scratch->p - 1 : (ptrdiff_t)scratch->len);
		memmove(to, all[i]->p, all[i]->len);
		to[all[i]->len] = 0;
		all[i]->p = to;
		scratch->len += own ? 0 : all[i]->len + 1;
	}
}

int envelope_read(struct envelope *e, struct buf *scratch, const void *bytes, size_t len,
                  struct why *why)
{
	struct reader r = { .e = e, .why = why };

	*e = (struct envelope){ 0 };
	buf_clear(scratch);
	if (len > MESSAGE_MAX)
		return why_set(why, ACTOR_EARGS, "%zu bytes, a message has %d at most", len,
		               MESSAGE_MAX);
	if (!envelope_is(bytes, len))
		return why_set(why, ACTOR_EARGS, "neither a JSON object nor a msgpack map: %s",
		               len ? "its first byte is none of theirs" : "it is empty");
	e->enc = *(const uint8_t *)bytes & 0x80 ? ENC_MSGPACK : ENC_JSON;
	r.in = (struct packed){ bytes, (const uint8_t *)bytes + len };
	if (e->enc == ENC_JSON) {
		if (json_read_deep(bytes, len, MESSAGE_DEPTH, scratch, why) != 0)
			return ACTOR_EARGS;
		r.in.at = (const uint8_t *)scratch->p;
		r.in.end = r.in.at + scratch->len;
	}
	if (read_map(&r) != 0) {
		e->args = (struct packed){ NULL, NULL };
		e->count = 0;
	}
	end_texts(e, scratch, e->enc == ENC_JSON);
	return r.failed;
}

/* --- writing ------------------------------------------------------------------ */
static bool is_written(struct envelope *e, enum key k)
{
	const struct text *t = text_of(e, k);

	return k == FUNC || k == ARGS || (k == ID && e->id.at != NULL) ||
	       (k == ERR && e->err_code != 0) || (t != NULL && t->p != NULL);
}

static void write_json_list(struct buf *out, struct packed in, unsigned count)
{
	unsigned i;

	buf_add(out, "[", 1);
	for (i = 0; i < count; i++) {
		if (i > 0)
			buf_add(out, ",", 1);
		if (json_write(out, &in) != 0)
			buf_text(out, "null");
	}
	buf_add(out, "]", 1);
}

static void write_quoted_key(struct buf *out, enum key k)
{
	buf_add(out, "\"", 1);
	buf_add(out, keys[k], key_lens[k]);
	buf_add(out, "\":", 2);
}

static void write_json(struct buf *out, struct envelope *e)
{
	struct packed id = e->id;
	const struct text *t;
	const char *before = "{";
	unsigned k;

	for (k = 0; k < UNKNOWN; k++) {
		if (!is_written(e, (enum key)k))
			continue;
		buf_add(out, before, 1);
		write_quoted_key(out, (enum key)k);
		before = ",";
		if (k == ARGS) {
			write_json_list(out, e->args, e->count);
		} else if (k == ID) {
			json_write(out, &id);
		} else if (k == ERR) {
			buf_printf(out, "{\"code\":%d,\"text\":", e->err_code);
			json_text(out, e->err_text.p ? e->err_text.p : "", e->err_text.len);
			buf_add(out, "}", 1);
		} else {
			t = text_of(e, (enum key)k);
			json_text(out, t->p ? t->p : "", t->len);
		}
	}
	buf_add(out, "}", 1);
}

static void pack_err(struct buf *out, const struct envelope *e)
{
	pack_map(out, 2);
	pack_text(out, "code");
	pack_int(out, e->err_code);
	pack_text(out, "text");
	pack_str(out, e->err_text.p, e->err_text.len);
	utf8_mend(out->p + out->len - e->err_text.len, e->err_text.len);
}

static void write_msgpack(struct buf *out, struct envelope *e)
{
	const struct text *t;
	uint8_t list[UNKNOWN];
	uint32_t pairs = 0, i;
	unsigned k;

	for (k = 0; k < UNKNOWN; k++)
		if (is_written(e, (enum key)k))
			list[pairs++] = (uint8_t)k;
	pack_map(out, pairs);
	for (i = 0; i < pairs; i++) {
		k = list[i];
		pack_str(out, keys[k], key_lens[k]);
		if (k == ARGS) {
			pack_list(out, e->count);
			buf_add(out, e->args.at, (size_t)(e->args.end - e->args.at));
		} else if (k == ID) {
			buf_add(out, e->id.at, (size_t)(e->id.end - e->id.at));
		} else if (k == ERR) {
			pack_err(out, e);
		} else {
			t = text_of(e, (enum key)k);
			pack_str(out, t->p, t->len);
		}
	}
}

void envelope_write(struct buf *out, const struct envelope *e)
{
	struct envelope it = *e;

	if (it.enc == ENC_JSON)
		write_json(out, &it);
	else
		write_msgpack(out, &it);
}

/* What write_msgpack() makes of an answer without err, which is most of what there is to write. */
static void write_values(struct buf *out, const struct envelope *request,
                         const struct packed *args, unsigned count)
{
	const struct packed *id = &request->id;

	pack_map(out, id->at ? 3 : 2);
	buf_add(out, "\xa4" "func", 5);
	pack_str(out, request->cb.p, request->cb.len);
	buf_add(out, "\xa4" "args", 5);
	pack_list(out, count);
	if (count)
		buf_add(out, args->at, (size_t)(args->end - args->at));
	if (id->at) {
		buf_add(out, "\xa2" "id", 3);
		buf_add(out, id->at, (size_t)(id->end - id->at));
	}
}

void envelope_answer(struct buf *out, const struct envelope *request, const struct packed *args,
                     unsigned count, int code, const char *text)
{
	struct envelope e;

	if (likely(code == 0 && request->enc == ENC_MSGPACK)) {
		write_values(out, request, args, args ? count : 0);
		return;
	}
	e = (struct envelope){ .enc = request->enc, .func = request->cb, .id = request->id };

	if (code == 0 && args != NULL && count > 0) {
		e.args = *args;
		e.count = count;
	}
	e.err_code = code;
	if (code != 0 && text != NULL)
		e.err_text = (struct text){ text, strlen(text) };
	envelope_write(out, &e);
}
