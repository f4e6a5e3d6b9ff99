/* SPDX-License-Identifier: MIT
 * json.c - jansson reads JSON into a tree, which is packed and dropped; the writer is by hand. What
 * is plain is read without it (plain.c).
 *
 * jansson nests 2,048 deep and makes up to 250 bytes of tree from two bytes of text ("{}"), so a
 * scan goes first that bounds depth and tree before either costs anything. No state: any thread
 * (jansson draws its hash seed at its first object, by itself). NaN is neither read nor written. */
#include "json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../actor.h"
#include "plain.h"

enum {
	TREE_MAX = 256 << 20,                   /* bytes that jansson may spend on a text, about: */
	TREE_BRANCH = 256, TREE_LEAF = 64,      /* on a list or map, on any other value */
};

/* --- reading ------------------------------------------------------------------ */
static COLD int refuse_at(struct why *why, const char *text, const char *at, const char *reason)
{
	int line = 1;
	const char *begin = text;

	for (; text < at; text++)
		if (*text == '\n') {
			line++;
			begin = text + 1;
		}
	return why_set(why, ACTOR_EARGS, "JSON, line %d, column %td: %s", line, at - begin + 1,
	               reason);
}

/* The end of the string that begins behind the quote at `at`. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at;
}

/* Would this text cost too much to read? What is no JSON at all is left to jansson. */
static int scan(const char *text, size_t len, int depth_max, struct why *why)
{
	const char *at, *end = text + len;
	int depth = 0;
	size_t tree = 0;

	for (at = text; at < end; at++) {
		switch (*at) {
		case '"': at = skip_string(at, end); break;
		case ',': tree += TREE_LEAF; break;
		case ']': case '}': depth--; break;
		case '[': case '{':
			tree += TREE_BRANCH;
			if (++depth > depth_max)
				return refuse_at(why, text, at, "nested too deep");
			break;
		}
		if (tree > TREE_MAX)
			return refuse_at(why, text, at, "too many values for JSON; send msgpack");
	}
	return 0;
}

/* The text once more, where jansson read each number as a double, as one of them is an integer that
 * it has no type for: what they say exactly. at is NULL where that was not so. */
struct numbers { const char *at, *end; };

static size_t next_number(struct numbers *n)
{
	const char *begin;

	for (; *n->at != '-' && (*n->at < '0' || *n->at > '9'); n->at++)
		if (*n->at == '"')
			n->at = skip_string(n->at, n->end);
	for (begin = n->at; n->at < n->end; n->at++)
		if (!memchr("+-.eE0123456789", *n->at, 15))
			break;
	return (size_t)(n->at - begin);
}

/* An integer below -2^63 that is -2^63 as a double would be taken for that by who takes an int; the
 * next double is as near to half of them, and no int. */
static double beyond(double v)
{
	return v == -0x1p63 ? nextafter(v, -INFINITY) : v;
}

/* The next number, which is v as a double: an integer, if it is one of 64 bits. */
static void pack_again(struct buf *out, struct numbers *n, double v)
{
	size_t len = next_number(n);
	char token[24] = "", *end = token;
	uint64_t is = 0;

	errno = 0;
	if (len < sizeof token) {
		memcpy(token, n->at - len, len);
		is = *token == '-' ? (uint64_t)strtoll(token, &end, 10) : strtoull(token, &end, 10);
	}
	if (end == token || *end || errno)
		pack_num(out, errno == ERANGE && !*end ? beyond(v) : v);
	else if (*token == '-')
		pack_int(out, (int64_t)is);
	else
		pack_uint(out, is);
}

/* Recursion is bounded by scan(). */
static void pack_tree(struct buf *out, json_t *tree, struct numbers *again)
{
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(tree)) {
	case JSON_OBJECT:
		pack_map(out, (uint32_t)json_object_size(tree));
		json_object_foreach(tree, key, item) {
			pack_text(out, key);
			pack_tree(out, item, again);
		}
		break;
	case JSON_ARRAY:
		pack_list(out, (uint32_t)json_array_size(tree));
		json_array_foreach(tree, i, item)
			pack_tree(out, item, again);
		break;
	case JSON_STRING: pack_str(out, json_string_value(tree), json_string_length(tree)); break;
	case JSON_INTEGER: pack_int(out, json_integer_value(tree)); break;
	case JSON_REAL:
		if (again->at)
			pack_again(out, again, json_real_value(tree));
		else
			pack_num(out, json_real_value(tree));
		break;
	case JSON_TRUE: pack_bool(out, true); break;
	case JSON_FALSE: pack_bool(out, false); break;
	case JSON_NULL: pack_null(out); break;
	}
}

int json_read_deep(const char *text, size_t len, int depth, struct buf *out, struct why *why)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	struct numbers again = { NULL, text + len };
	json_error_t error;
	json_t *tree;

	if (plain_read(text, len, depth, out))
		return 0;
	if (scan(text, len, depth, why) != 0)
		return ACTOR_EARGS;
	tree = json_loadb(text, len, flags, &error);
	if (!tree && json_error_code(&error) == json_error_numeric_overflow) {
		again.at = text;
		tree = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &error);
	}
	if (tree == NULL)
		return why_set(why, ACTOR_EARGS, "JSON, line %d, column %d: %s", error.line,
		               error.column, error.text);
	pack_tree(out, tree, &again);
	json_decref(tree);
	return 0;
}

int json_read(const char *text, size_t len, struct buf *out, struct why *why)
{
	return json_read_deep(text, len, VALUE_DEPTH, out, why);
}

void json_or_text(const char *text, size_t len, struct buf *out)
{
	if (json_read(text, len, out, NULL))
		pack_str(out, text, len);
}

/* --- writing ------------------------------------------------------------------ */
static void write_escaped(struct buf *out, unsigned char c)
{
	static const char short_for[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
	                                  ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\' };
	char two[2] = { '\\', 0 };

	if (short_for[c] == 0) {
		buf_printf(out, "\\u%04x", c);
		return;
	}
	two[1] = short_for[c];
	buf_add(out, two, sizeof two);
}

static void write_quoted(struct buf *out, const char *s, size_t len)
{
	const char *run = s, *end = s + len;

	buf_add(out, "\"", 1);
	for (; s < end; s++) {
		if (likely((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\'))
			continue;
		buf_add(out, run, (size_t)(s - run));
		write_escaped(out, (unsigned char)*s);
		run = s + 1;
	}
	buf_add(out, run, (size_t)(end - run));
	buf_add(out, "\"", 1);
}

void json_text(struct buf *out, const char *s, size_t len)
{
	char *mended;

	if (len == 0) {         /* s may be NULL */
		buf_text(out, "\"\"");
		return;
	}
	if (likely(utf8_valid(s, len))) {
		write_quoted(out, s, len);
		return;
	}
	mended = mem_string(s, len);
	utf8_mend(mended, len);
	write_quoted(out, mended, len);
	mem_free(mended);
}

static void write_base64(struct buf *out, const uint8_t *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" "abcdefghijklmnopqrstuvwxyz"
	                             "0123456789+/";
	char four[4];
	uint32_t bits;

	buf_add(out, "\"", 1);
	for (; len > 0; p += 3, len -= len < 3 ? len : 3) {
		bits = (uint32_t)p[0] << 16 | (len > 1 ? p[1] << 8 : 0) | (len > 2 ? p[2] : 0);
		four[0] = digits[bits >> 18];
		four[1] = digits[bits >> 12 & 63];
		four[2] = len > 1 ? digits[bits >> 6 & 63] : '=';
		four[3] = len > 2 ? digits[bits & 63] : '=';
		buf_add(out, four, sizeof four);
	}
	buf_add(out, "\"", 1);
}

/* As short as it reads back the same, and with a point or exponent: it stays a num. */
static void write_num(struct buf *out, double v)
{
	char text[40];
	int digits;

	if (!isfinite(v)) {
		buf_text(out, "null");
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_text(out, text);
	if (strpbrk(text, ".e") == NULL)
		buf_text(out, ".0");
}

static int write_value(struct buf *out, struct packed *in, int depth);

/* JSON's keys are strings: a number or the like is written in quotes. A list or map is named only:
 * its text, quoted anew at each depth, would double each time. */
static int write_key(struct buf *out, struct packed *in)
{
	struct packed peek = *in;
	struct value v;
	int failed;

	if (packed_next(&peek, &v) != 1)
		return -1;
	if (v.type == VALUE_STR || v.type == VALUE_BYTES)
		return write_value(out, in, 0);
	if (v.type == VALUE_LIST || v.type == VALUE_MAP) {
		buf_text(out, v.type == VALUE_LIST ? "\"list\"" : "\"map\"");
		return packed_skip(in);
	}
	buf_add(out, "\"", 1);
	failed = write_value(out, in, 0);
	buf_add(out, "\"", 1);
	return failed;
}

static int write_items(struct buf *out, struct packed *in, const struct value *v, int depth)
{
	bool map = v->type == VALUE_MAP;
	size_t i;

	if (depth == 0)
		return -1;
	buf_add(out, map ? "{" : "[", 1);
	for (i = 0; i < v->len; i++) {
		if (i > 0)
			buf_add(out, ",", 1);
		if (map && write_key(out, in) != 0)
			return -1;
		if (map)
			buf_add(out, ":", 1);
		if (write_value(out, in, depth - 1) != 0)
			return -1;
	}
	buf_add(out, map ? "}" : "]", 1);
	return 0;
}

static int write_value(struct buf *out, struct packed *in, int depth)
{
	struct value v;

	if (packed_next(in, &v) != 1)
		return -1;
	switch (v.type) {
	case VALUE_NULL: buf_text(out, "null"); break;
	case VALUE_INT: buf_printf(out, "%lld", (long long)v.i); break;
	case VALUE_UINT: buf_printf(out, "%llu", (unsigned long long)v.i); break;
	case VALUE_NUM: write_num(out, v.num); break;
	case VALUE_BOOL: buf_text(out, v.i ? "true" : "false"); break;
	case VALUE_STR: json_text(out, v.str, v.len); break;
	case VALUE_BYTES: write_base64(out, (const uint8_t *)v.str, v.len); break;
	case VALUE_LIST: case VALUE_MAP: return write_items(out, in, &v, depth);
	}
	return 0;
}

int json_write(struct buf *out, struct packed *in)
{
	size_t len = out->len;

	if (write_value(out, in, MESSAGE_DEPTH) == 0)
		return 0;
	out->len = len;
	return -1;
}
