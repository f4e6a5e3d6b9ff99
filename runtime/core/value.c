/* SPDX-License-Identifier: MIT
 * value.c - msgpack: written by msgpack-c's pack templates, read by hand.
 *
 * The reader is ours because msgpack-c reserves what a header declares: five hostile bytes are
 * eight gigabytes. Here a head is believed only when as many bytes follow as it has items, and
 * nothing recurses: nesting is a stack of counts, or one count where depth does not matter.
 * No state: any thread. Ext types (timestamps too) are not part of a message and are refused. */
#include "value.h"

#include <msgpack.h>

#include "../actor.h"

enum fault { CUT = -1, EXT = -2, RESERVED = -3, LYING = -4, DEEP = -5, NO_UTF8 = -6 };

static const char *const fault_texts[] = {
	[-CUT] = "the bytes end in the middle of a value",
	[-EXT] = "ext types (timestamps too) are no values here; send an int, num, str or bytes",
	[-RESERVED] = "byte 0xc1 is no msgpack",
	[-LYING] = "a list or map declares more items than there are bytes",
	[-DEEP] = "lists and maps are nested too deep",
	[-NO_UTF8] = "a str is not UTF-8; send it as bytes",
};

/* Of 0xc0 to 0xdf: how many bytes follow that hold the value or its length. */
static const uint8_t widths[32] = {
	0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
	1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
};

/* --- reading ------------------------------------------------------------------ */
static int set_int(struct value *v, int64_t i)
{
	v->type = VALUE_INT;
	v->i = i;
	v->num = (double)i;
	return 1;
}

static int set_uint(struct value *v, uint64_t u)
{
	v->type = u > INT64_MAX ? VALUE_UINT : VALUE_INT;
	v->i = (int64_t)u;
	v->num = (double)u;
	return 1;
}

static int set_num(struct value *v, uint64_t bits, bool wide)
{
	uint32_t narrow = (uint32_t)bits;
	float f;

	v->type = VALUE_NUM;
	if (wide) {
		memcpy(&v->num, &bits, sizeof v->num);
	} else {
		memcpy(&f, &narrow, sizeof f);
		v->num = (double)f;
	}
	return 1;
}

/* in->at is behind the head; so are the bytes taken. */
static int take_bytes(struct packed *in, struct value *v, enum value_type type, size_t len)
{
	if (len > (size_t)(in->end - in->at))
		return CUT;
	v->type = type;
	v->str = (const char *)in->at;
	v->len = len;
	in->at += len;
	return 1;
}

static int take_items(struct packed *in, struct value *v, enum value_type type, size_t len)
{
	if (len > (size_t)(in->end - in->at) / (type == VALUE_MAP ? 2 : 1))
		return LYING;
	v->type = type;
	v->len = len;
	v->inside = in->at;
	return 1;
}

/* The only fault that leaves in->at behind the value: what nobody needs can be passed over. */
static int take_ext(struct packed *in, size_t len)
{
	if (len >= (size_t)(in->end - in->at))
		return CUT;
	in->at += 1 + len;      /* a byte of type before it */
	return EXT;
}

static uint64_t big_endian(const uint8_t *p, unsigned width)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (width) {
	case 0:  return 0;
	case 1:  return *p;
	case 2:  memcpy(&two, p, sizeof two); return __builtin_bswap16(two);
	case 4:  memcpy(&four, p, sizeof four); return __builtin_bswap32(four);
	default: memcpy(&eight, p, sizeof eight); return __builtin_bswap64(eight);
	}
}

static int take_wide(struct packed *in, struct value *v, uint8_t head)
{
	unsigned width = widths[head & 31];
	uint64_t n;

	if (width > (size_t)(in->end - in->at))
		return CUT;
	n = big_endian(in->at, width);
	in->at += width;
	switch (head) {
	case 0xc0: v->type = VALUE_NULL; return 1;
	case 0xc1: return RESERVED;
	case 0xc2: case 0xc3: v->type = VALUE_BOOL; v->i = head & 1; return 1;
	case 0xc4: case 0xc5: case 0xc6: return take_bytes(in, v, VALUE_BYTES, n);
	case 0xca: case 0xcb: return set_num(v, n, head == 0xcb);
	case 0xcc: case 0xcd: case 0xce: case 0xcf: return set_uint(v, n);
	case 0xd0: return set_int(v, (int8_t)n);
	case 0xd1: return set_int(v, (int16_t)n);
	case 0xd2: return set_int(v, (int32_t)n);
	case 0xd3: return set_int(v, (int64_t)n);
	case 0xd9: case 0xda: case 0xdb: return take_bytes(in, v, VALUE_STR, n);
	case 0xdc: case 0xdd: return take_items(in, v, VALUE_LIST, n);
	case 0xde: case 0xdf: return take_items(in, v, VALUE_MAP, n);
	default: return take_ext(in, head < 0xd4 ? n : (uint64_t)1 << (head - 0xd4));
	}
}

/* 1, 0 at the end, or a fault; after one but EXT in->at is anywhere. */
static int take(struct packed *in, struct value *v)
{
	uint8_t head;

	if (in->at >= in->end)
		return 0;
	head = *in->at++;
	*v = (struct value){ 0 };
	if (head < 0x80 || head >= 0xe0)
		return set_int(v, (int8_t)head);
	if (head < 0x90)
		return take_items(in, v, VALUE_MAP, head & 15);
	if (head < 0xa0)
		return take_items(in, v, VALUE_LIST, head & 15);
	if (head < 0xc0)
		return take_bytes(in, v, VALUE_STR, head & 31);
	return take_wide(in, v, head);
}

static size_t inner(const struct value *v)
{
	return v->type == VALUE_LIST ? v->len : v->type == VALUE_MAP ? 2 * v->len : 0;
}

int packed_next(struct packed *in, struct value *v)
{
	int got = take(in, v);

	return got < 0 ? -1 : got;
}

int packed_skip(struct packed *in)
{
	struct value v;
	size_t left = 1;
	int got;

	while (left > 0) {
		if (left > (size_t)(in->end - in->at))
			return -1;
		got = take(in, &v);
		if (got != 1 && got != EXT)
			return -1;
		left += inner(&v) - 1;
	}
	return 0;
}

bool value_is_text(const struct value *v, const char *text)
{
	return v->type == VALUE_STR && v->len == strlen(text) && !memcmp(v->str, text, v->len);
}

bool packed_find(struct packed map, const char *key, struct packed *found)
{
	struct value head, k;

	if (packed_next(&map, &head) != 1 || head.type != VALUE_MAP)
		return false;
	for (; head.len && packed_next(&map, &k) == 1; head.len--) {
		struct packed one = map;

		if (packed_skip(&map) < 0)
			return false;
		one.end = map.at;
		if (value_is_text(&k, key)) {
			*found = one;
			return true;
		}
	}
	return false;
}

struct value packed_get(struct packed map, const char *key)
{
	struct value v = { .type = VALUE_NULL, .str = "" };
	struct packed at;

	if (packed_find(map, key, &at))
		packed_next(&at, &v);
	return v;
}

/* --- checking ------------------------------------------------------------------ */
static int check_head(struct packed *in, struct value *v)
{
	int got = take(in, v);

	if (got != 1)
		return got == 0 ? CUT : got;
	return v->type == VALUE_STR && !utf8_valid(v->str, v->len) ? NO_UTF8 : 0;
}

/* What is inside v, a list or a map. */
static int check_inside(struct packed *in, struct value *v, int depth_max)
{
	size_t left[MESSAGE_DEPTH + 1];  /* values still to come, at each depth */
	int depth = 1, fault;

	if (!depth_max)
		return DEEP;
	left[0] = 0;
	left[1] = inner(v);
	while (depth >= 0) {
		if (left[depth] == 0) {
			depth--;
			continue;
		}
		left[depth]--;
		fault = check_head(in, v);
		if (fault)
			return fault;
		if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
			if (depth == depth_max)
				return DEEP;
			left[++depth] = inner(v);
		}
	}
	return 0;
}

/* Passes over one value: 0, or what is wrong with it. */
static int check_one(struct packed *in, int depth_max)
{
	struct value v;
	int fault = check_head(in, &v);

	if (fault || (v.type != VALUE_LIST && v.type != VALUE_MAP))
		return fault;
	return check_inside(in, &v, depth_max);
}

static COLD int refuse(struct why *why, int fault, int64_t offset)
{
	return why_set(why, ACTOR_EARGS, "msgpack, byte %lld: %s", (long long)offset,
	               fault_texts[-fault]);
}

int packed_check(const void *p, size_t len, int values, struct why *why)
{
	struct packed in = { p, len ? (const uint8_t *)p + len : p };
	const uint8_t *begin;
	int fault, n = 0;

	while (in.at < in.end) {
		if (n == values)
			return why_set(why, ACTOR_EARGS, "msgpack: the values wanted (%d) end at"
			               " byte %td of %zu", n, in.at - (const uint8_t *)p, len);
		begin = in.at;
		fault = check_one(&in, VALUE_DEPTH);
		if (fault != 0)
			return refuse(why, fault, begin - (const uint8_t *)p);
		n++;
	}
	if (values >= 0 && n < values)
		return why_set(why, ACTOR_EARGS, "msgpack: %d of %d values are missing", values - n,
		               values);
	return n;
}

int64_t packed_first(const void *p, size_t len, int depth, struct why *why)
{
	struct packed in = { p, len ? (const uint8_t *)p + len : p };
	int fault = check_one(&in, depth < MESSAGE_DEPTH ? depth : MESSAGE_DEPTH);

	return fault != 0 ? refuse(why, fault, 0) : in.at - (const uint8_t *)p;
}

/* Bytes of the character at s, of which left bytes are there; 0: it is none. */
static size_t utf8_char(const uint8_t *s, size_t left)
{
	size_t i, n = 0;

	if (s[0] < 0x80)
		n = 1;
	else if (s[0] >= 0xc2 && s[0] < 0xf5)
		n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n == 0 || n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90))
		return 0;       /* overlong */
	if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;       /* a surrogate; above 0x10FFFF */
	return n;
}

bool utf8_valid(const char *s, size_t len)
{
	const uint8_t *at = (const uint8_t *)s;
	uint64_t eight;
	size_t n;

	while (len > 0) {
		for (; len >= 8; at += 8, len -= 8) {
			memcpy(&eight, at, 8);
			if (eight & 0x8080808080808080)
				break;
		}
		for (; len > 0 && *at < 0x80; at++)
			len--;
		if (len == 0)
			break;
		n = utf8_char(at, len);
		if (n == 0)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

void utf8_mend(char *s, size_t len)
{
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = utf8_char((const uint8_t *)s, len);
		if (n == 0) {
			*s = '?';
			n = 1;
		}
	}
}

/* --- writing ------------------------------------------------------------------ */
static int write_buf(void *b, const char *p, size_t len)
{
	buf_add(b, p, len);
	return 0;
}

static inline msgpack_packer packer(struct buf *b)
{
	return (msgpack_packer){ b, write_buf };
}

void pack_null(struct buf *b)
{
	msgpack_packer to = packer(b);
	msgpack_pack_nil(&to);
}

/* What is one byte (a small number, a short list's or str's head) is most of what a frame between
 * nodes or an answer has: it goes without msgpack-c (actor-bench redis-call, ws-echo). */
enum { FIXINT_END = 0x80, FIXMAP = 0x80, FIXMAP_END = 16, FIXLIST = 0x90, FIXLIST_END = 16,
       FIXSTR = 0xa0, FIXSTR_END = 32, STR8 = 0xd9, STR8_END = 256 };

static void put_byte(struct buf *b, unsigned byte)
{
	buf_reserve(b, 1);
	b->p[b->len++] = (char)byte;
}

void pack_int(struct buf *b, int64_t v)
{
	msgpack_packer to = packer(b);

	if (likely(v >= 0 && v < FIXINT_END))
		put_byte(b, (unsigned)v);
	else
		msgpack_pack_int64(&to, v);
}

void pack_uint(struct buf *b, uint64_t v)
{
	msgpack_packer to = packer(b);

	if (v < FIXINT_END)
		put_byte(b, (unsigned)v);
	else
		msgpack_pack_uint64(&to, v);
}

void pack_num(struct buf *b, double v)
{
	msgpack_packer to = packer(b);
	msgpack_pack_double(&to, v);
}

void pack_bool(struct buf *b, bool v)
{
	msgpack_packer to = packer(b);
	if (v)
		msgpack_pack_true(&to);
	else
		msgpack_pack_false(&to);
}

/* The head and the bytes in one piece. */
void pack_str(struct buf *b, const char *s, size_t len)
{
	msgpack_packer to = packer(b);
	bool is_short = len < FIXSTR_END;

	if (unlikely(len >= STR8_END || !len)) {
		msgpack_pack_str(&to, len);
		buf_add(b, s, len);
		return;
	}
	buf_reserve(b, len + 2);
	b->p[b->len++] = (char)(is_short ? FIXSTR | len : STR8);
	if (!is_short)
		b->p[b->len++] = (char)len;
	memcpy(b->p + b->len, s, len);
	b->len += len;
}

void pack_text(struct buf *b, const char *s)
{
	if (s == NULL)
		pack_null(b);
	else
		pack_str(b, s, strlen(s));
}

void pack_bytes(struct buf *b, const void *p, size_t len)
{
	msgpack_packer to = packer(b);
	msgpack_pack_bin(&to, len);
	buf_add(b, p, len);
}

void pack_list(struct buf *b, uint32_t items)
{
	msgpack_packer to = packer(b);

	if (items < FIXLIST_END)
		put_byte(b, FIXLIST | items);
	else
		msgpack_pack_array(&to, items);
}

void pack_map(struct buf *b, uint32_t pairs)
{
	msgpack_packer to = packer(b);

	if (pairs < FIXMAP_END)
		put_byte(b, FIXMAP | pairs);
	else
		msgpack_pack_map(&to, pairs);
}
