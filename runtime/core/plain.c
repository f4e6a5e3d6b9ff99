/* SPDX-License-Identifier: MIT
 * plain.c - JSON that is plain, read straight into packed values.
 *
 * What clients send is nearly always a small map of short texts and integers, and a tree of it
 * costs three times the rest of the call (actor-bench ws-echo, json). So what is plain is read in
 * one pass: texts without escapes, integers of up to 18 digits, true, false, null, lists and maps
 * of up to 15. Whatever is not goes to jansson, which alone says what is wrong with a text: this
 * reader only ever says yes, and gives the same bytes then. No state: any thread. */
#include "plain.h"

enum { ITEMS_MAX = 15, DIGITS_MAX = 18, FIXMAP = 0x80, FIXLIST = 0x90 };

struct reader { const char *at, *end; struct buf *out; };
struct key { const char *p; size_t len; };

static bool read_value(struct reader *r, int depth);

static void skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' ||
	                          *r->at == '\r'))
		r->at++;
}

/* The next character that is no space is this one. */
static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool read_text(struct reader *r, struct key *text)
{
	const char *begin = r->at;
	unsigned char high = 0, c;

	for (; r->at < r->end && (c = (unsigned char)*r->at) != '"'; r->at++) {
		if (c < 0x20 || c == '\\')
			return false;
		high |= c;
	}
	if (r->at == r->end)
		return false;
	*text = (struct key){ begin, (size_t)(r->at++ - begin) };
	if (high >= 0x80 && !utf8_valid(text->p, text->len))
		return false;
	pack_str(r->out, text->p, text->len);
	return true;
}

static bool read_int(struct reader *r)
{
	bool negative = *r->at == '-';
	const char *begin = r->at += negative;
	int64_t v = 0;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - begin < DIGITS_MAX)
		v = v * 10 + (*r->at++ - '0');
	if (r->at == begin || (r->at < r->end && *r->at >= '0' && *r->at <= '9'))
		return false;
	if (*begin == '0' && (negative || r->at - begin > 1))
		return false;
	if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E'))
		return false;
	pack_int(r->out, negative ? -v : v);
	return true;
}

static bool read_word(struct reader *r, const char *word, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len))
		return false;
	r->at += len;
	if (*word == 'n')
		pack_null(r->out);
	else
		pack_bool(r->out, *word == 't');
	return true;
}

static bool is_new(const struct key *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (keys[i].len == keys[n].len && !memcmp(keys[i].p, keys[n].p, keys[n].len))
			return false;
	return true;
}

static bool read_key(struct reader *r, struct key *keys, unsigned n)
{
	return take(r, '"') && read_text(r, &keys[n]) && is_new(keys, n) && take(r, ':');
}

/* Behind the bracket. The head's byte comes first and is set last. */
static bool read_items(struct reader *r, bool map, int depth)
{
	struct key keys[ITEMS_MAX];
	size_t head = r->out->len;
	char close = map ? '}' : ']';
	unsigned n = 0;

	if (!depth)
		return false;
	buf_add(r->out, "", 1);
	if (take(r, close)) {
		r->out->p[head] = (char)(map ? FIXMAP : FIXLIST);
		return true;
	}
	do {
		if (n == ITEMS_MAX || (map && !read_key(r, keys, n)) || !read_value(r, depth - 1))
			return false;
		n++;
	} while (take(r, ','));
	r->out->p[head] = (char)((map ? FIXMAP : FIXLIST) | n);
	return take(r, close);
}

static bool read_value(struct reader *r, int depth)
{
	struct key text;

	skip_space(r);
	if (r->at == r->end)
		return false;
	switch (*r->at) {
	case '"': r->at++; return read_text(r, &text);
	case '{': r->at++; return read_items(r, true, depth);
	case '[': r->at++; return read_items(r, false, depth);
	case 't': return read_word(r, "true", 4);
	case 'f': return read_word(r, "false", 5);
	case 'n': return read_word(r, "null", 4);
	default: return read_int(r);
	}
}

bool plain_read(const char *text, size_t len, int depth, struct buf *out)
{
	struct reader r = { text, text + len, out };
	size_t before = out->len;

	if (read_value(&r, depth)) {
		skip_space(&r);
		if (r.at == r.end)
			return true;
	}
	out->len = before;
	return false;
}
