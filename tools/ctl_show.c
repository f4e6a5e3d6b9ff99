/* SPDX-License-Identifier: MIT
 * ctl_show.c - see ctl_show.h.
 *
 * The idea: the runtime says what there is, as maps and lists; how it looks follows from
 * its shape, so a section that a later runtime adds is shown by this actorctl too. A key's
 * unit (_ms, _bytes) turns into words. Names come from outside and may hold anything: all
 * text goes through show_text(). */
#include "ctl_show.h"

#include <stdio.h>

#include "json.h"

enum { LABEL = 12, COLUMNS_MAX = 24, LINE = 80, CELL_LEAST = 8 };

/* --- text --------------------------------------------------------------------- */

/* One UTF-8 character at s, len bytes left: its bytes, and its code point or 0 where it is none. */
static size_t character(const char *s, size_t len, uint32_t *code)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2, i;

	*code = 0;
	if (n > len || !utf8_valid(s, n))
		return 1;
	*code = n == 1 ? c : c & (0x7fu >> n);
	for (i = 1; i < n; i++)
		*code = *code << 6 | ((unsigned char)s[i] & 0x3f);
	return n;
}

/* Controls, and what turns the direction of writing. */
static bool harmless(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
		!(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

void show_text(struct buf *out, const char *s, size_t len)
{
	uint32_t code;
	size_t n;

	if (len == 0)
		buf_text(out, "\"\"");
	for (; len > 0; s += n, len -= n) {
		n = character(s, len, &code);
		if (harmless(code))
			buf_add(out, s, n);
		else if (*s == '\n' || *s == '\t')
			buf_text(out, *s == '\n' ? "\\n" : "\\t");
		else if (code > 0xff)
			buf_printf(out, "\\u%04x", code);
		else
			buf_printf(out, "\\x%02x", code ? code : (unsigned char)*s);
	}
}

static size_t width(const char *s, size_t len)
{
	size_t n = 0;

	for (; len > 0; s++, len--)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void spaces(struct buf *out, size_t n)
{
	buf_printf(out, "%*s", (int)n, "");
}

/* --- values ------------------------------------------------------------------- */

bool show_find(struct packed map, const char *key, struct packed *found)
{
	struct value head, k;
	size_t i;

	if (packed_next(&map, &head) != 1 || head.type != VALUE_MAP)
		return false;
	for (i = 0; i < head.len; i++) {
		packed_next(&map, &k);
		if (k.type == VALUE_STR && k.len == strlen(key) && memcmp(k.str, key, k.len) == 0) {
			found->at = map.at;
			packed_skip(&map);
			found->end = map.at;
			return true;
		}
		packed_skip(&map);
	}
	return false;
}

void show_json(struct buf *out, struct packed *in)
{
	if (json_write(out, in) != 0)
		buf_text(out, "null");
}

static bool ends(const char *key, size_t len, const char *unit)
{
	size_t n = strlen(unit);

	return len > n && memcmp(key + len - n, unit, n) == 0;
}

static void duration(struct buf *out, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 10)
		buf_printf(out, "%lld ms", (long long)ms);
	else if (s < 3600)
		buf_printf(out, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		buf_printf(out, "%lld h %lld min", (long long)(s / 3600),
			(long long)(s % 3600 / 60));
}

static void bytes(struct buf *out, int64_t n)
{
	if (n < 10000)
		buf_printf(out, "%lld B", (long long)n);
	else if (n < 1000000)
		buf_printf(out, "%.1f kB", (double)n / 1e3);
	else
		buf_printf(out, "%.1f MB", (double)n / 1e6);
}

/* One value as a word or two; units: a number of a key with a unit is spelt out. */
/* Names stand as they are; what was given as arguments is JSON, as its types count. */
static bool is_names(struct packed list, const struct value *key)
{
	struct value v;
	size_t n = packed_next(&list, &v) == 1 && v.type == VALUE_LIST ? v.len + 1 : 0;

	if (!n || ends(key->str, key->len, "args"))
		return false;
	while (--n && packed_next(&list, &v) == 1 && v.type == VALUE_STR)
		;
	return !n;
}

static void names(struct buf *out, struct packed list)
{
	struct value head, v;

	packed_next(&list, &head);
	buf_text(out, head.len ? "" : "-");
	for (size_t i = 0; i < head.len && packed_next(&list, &v) == 1; i++) {
		buf_text(out, i ? ", " : "");
		show_text(out, v.str, v.len);
	}
}

/* The global table's name is an empty text; elsewhere one says that there is nothing. */
static bool is_name(const struct value *key)
{
	static const char *const names[] = { "name", "type", "actor", "value", "from", "asked" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (key->len == strlen(names[i]) && memcmp(key->str, names[i], key->len) == 0)
			return true;
	return false;
}

static void word(struct buf *out, struct packed one, const struct value *key, bool units)
{
	struct packed at = one;
	struct value v = { .type = VALUE_NULL };

	packed_next(&at, &v);
	if (v.type == VALUE_NULL || (v.type == VALUE_STR && !v.len && !is_name(key)))
		buf_text(out, "-");
	else if (v.type == VALUE_STR)
		show_text(out, v.str, v.len);
	else if (v.type == VALUE_BOOL)
		buf_text(out, v.i ? "yes" : "no");
	else if (is_names(one, key))
		names(out, one);
	else if (v.type == VALUE_INT && units && ends(key->str, key->len, "_ms"))
		duration(out, v.i);
	else if (v.type == VALUE_INT && units && ends(key->str, key->len, "_bytes"))
		bytes(out, v.i);
	else
		show_json(out, &one);
}

/* Steps into a list or map: how many items or pairs follow; 0 where it is another thing. */
static size_t enter(struct packed *in, enum value_type type)
{
	struct value head;

	return packed_next(in, &head) == 1 && head.type == type ? head.len : 0;
}

static struct packed take(struct packed *in)
{
	struct packed one = *in;

	packed_skip(in);
	one.end = in->at;
	return one;
}

/* --- tables ------------------------------------------------------------------- */

struct cell { size_t at, len, width; };

struct table {
	struct buf text;                /* of all cells, which say where */
	struct cell *cells;             /* row by row, the headings first */
	size_t rows, columns;
	struct value key[COLUMNS_MAX];
	bool number[COLUMNS_MAX];       /* set to the right */
	size_t width[COLUMNS_MAX];
};

static void table_keys(struct table *t, struct packed list)
{
	size_t n = enter(&list, VALUE_MAP);

	while (t->columns < n && t->columns < COLUMNS_MAX) {
		packed_next(&list, &t->key[t->columns++]);
		packed_skip(&list);
	}
}

static void cell_end(struct table *t, size_t row, size_t column, size_t at)
{
	struct cell *c = &t->cells[row * t->columns + column];

	*c = (struct cell){ at, t->text.len - at, width(t->text.p + at, t->text.len - at) };
	if (c->width > t->width[column])
		t->width[column] = c->width;
}

static bool is_bytes(const struct value *key)
{
	return ends(key->str, key->len, "_bytes");
}

static void heading(struct table *t, size_t column)
{
	const struct value *key = &t->key[column];
	size_t at = t->text.len, i;

	show_text(&t->text, key->str, key->len - (is_bytes(key) ? strlen("_bytes") : 0));
	for (i = at; i < t->text.len; i++) {
		char *c = &t->text.p[i];

		*c = *c == '_' ? ' ' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
	}
	cell_end(t, 0, column, at);
}

static void fill_cell(struct table *t, size_t row, size_t column, struct packed map)
{
	char key[NAME_MAX_LEN + 1];
	size_t at = t->text.len;
	struct packed one;
	struct value v;

	snprintf(key, sizeof key, "%.*s", (int)t->key[column].len, t->key[column].str);
	if (show_find(map, key, &one)) {
		word(&t->text, one, &t->key[column], is_bytes(&t->key[column]));
		packed_next(&one, &v);
		t->number[column] |= v.type == VALUE_INT || v.type == VALUE_NUM;
	} else {
		buf_text(&t->text, "-");
	}
	cell_end(t, row, column, at);
}

/* On a terminal the widest columns give way until a line fits. */
static void table_fit(struct table *t, int columns, int indent)
{
	size_t total, widest, i;

	for (;;) {
		total = (size_t)indent;
		for (widest = i = 0; i < t->columns; i++) {
			total += t->width[i] + (i ? 2 : 0);
			widest = t->width[i] > t->width[widest] ? i : widest;
		}
		if (total <= (size_t)columns || t->width[widest] <= CELL_LEAST)
			return;
		t->width[widest]--;
	}
}

/* As much of a text as has so many characters. */
static size_t cut(const char *s, size_t len, size_t characters)
{
	size_t n = 0;

	for (; n < len; n++)
		if (((unsigned char)s[n] & 0xc0) != 0x80 && characters-- == 0)
			break;
	return n;
}

static void write_cell(struct buf *out, const struct table *t, size_t row, size_t column)
{
	const struct cell *c = &t->cells[row * t->columns + column];
	const char *s = t->text.p + c->at;
	size_t room = t->width[column], pad = c->width < room ? room - c->width : 0;

	if (t->number[column])
		spaces(out, pad);
	if (c->width > room) {
		buf_add(out, s, cut(s, c->len, room - 1));
		buf_text(out, "\xe2\x80\xa6");
	} else {
		buf_add(out, s, c->len);
	}
	if (!t->number[column] && column + 1 < t->columns)
		spaces(out, pad);
}

static void write_table(struct buf *out, const struct table *t, const struct ctl *c, int indent)
{
	size_t row, column;

	for (row = 0; row < t->rows; row++) {
		spaces(out, (size_t)indent);
		if (row == 0 && c->colour)
			buf_text(out, "\033[1m");
		for (column = 0; column < t->columns; column++) {
			if (column)
				spaces(out, 2);
			write_cell(out, t, row, column);
		}
		buf_text(out, row == 0 && c->colour ? "\033[0m\n" : "\n");
	}
}

void show_table(struct buf *out, const struct ctl *c, struct packed list, int indent)
{
	struct table t = { .rows = 1 };
	size_t n = enter(&list, VALUE_LIST), column, i;

	if (n == 0)
		return;
	table_keys(&t, list);
	t.cells = mem_alloc((n + 1) * (t.columns + 1) * sizeof *t.cells);
	for (column = 0; column < t.columns; column++)
		heading(&t, column);
	for (i = 0; i < n; i++, t.rows++) {
		struct packed map = take(&list);

		for (column = 0; column < t.columns; column++)
			fill_cell(&t, t.rows, column, map);
	}
	if (c->columns)
		table_fit(&t, c->columns, indent);
	write_table(out, &t, c, indent);
	mem_free(t.cells);
	buf_fini(&t.text);
}

/* --- maps --------------------------------------------------------------------- */

/* A key as words: without its unit, which its value has, but where the rest would be taken for
 * something else. */
static void key_words(struct buf *out, const struct value *key, struct packed map)
{
	size_t at = out->len, len = key->len;
	char rest[NAME_MAX_LEN + 1];
	struct value other = { .type = VALUE_NULL };
	struct packed found;

	len -= ends(key->str, len, "_ms") ? 3 : ends(key->str, len, "_bytes") ? 6 : 0;
	snprintf(rest, sizeof rest, "%.*s", (int)len, key->str);
	if (show_find(map, rest, &found))
		packed_next(&found, &other);
	show_text(out, key->str, other.type == VALUE_STR || !strcmp(rest, "max") ? key->len : len);
	for (; at < out->len; at++)
		if (out->p[at] == '_')
			out->p[at] = ' ';
}

static void label(struct buf *out, const struct ctl *c, const struct value *key, struct packed map)
{
	size_t at = out->len, n;

	key_words(out, key, map);
	n = width(out->p + at, out->len - at);
	if (c->colour) {
		struct buf text = { 0 };

		buf_add(&text, out->p + at, out->len - at);
		out->len = at;
		buf_printf(out, "\033[1m%.*s\033[0m", (int)text.len, text.p);
		buf_fini(&text);
	}
	spaces(out, n < LABEL ? LABEL - n + 1 : 1);
}

/* key value  key value, on as many lines as it takes. */
static void words(struct buf *out, const struct ctl *c, struct packed map)
{
	size_t limit = c->columns ? (size_t)c->columns : LINE, used = LABEL + 1, i, n;
	struct packed whole = map;
	size_t pairs = enter(&map, VALUE_MAP);
	struct buf pair = { 0 };
	struct value key;

	for (i = 0; i < pairs; i++) {
		packed_next(&map, &key);
		pair.len = 0;
		key_words(&pair, &key, whole);
		buf_text(&pair, " ");
		word(&pair, take(&map), &key, true);
		n = width(pair.p, pair.len);
		if (used > LABEL + 1 && used + 2 + n > limit) {
			buf_text(out, "\n");
			spaces(out, LABEL + 1);
			used = LABEL + 1;
		}
		spaces(out, used > LABEL + 1 ? 2 : 0);
		buf_add(out, pair.p, pair.len);
		used += n + (used > LABEL + 1 ? 2 : 0);
	}
	buf_text(out, pairs ? "\n" : "none\n");
	buf_fini(&pair);
}

static void items(struct buf *out, const struct ctl *c, struct packed list)
{
	struct value v = { .type = VALUE_NULL }, no_key = { .str = "" };
	struct packed in = list, first;
	size_t n = enter(&in, VALUE_LIST), i;

	first = in;
	packed_next(&first, &v);
	if (n == 0) {
		buf_text(out, "none\n");
	} else if (v.type == VALUE_MAP) {
		while (out->p[out->len - 1] == ' ')
			out->len--;
		buf_text(out, "\n");
		show_table(out, c, list, 2);
	}
	for (i = 0; v.type != VALUE_MAP && i < n; i++) {
		spaces(out, i ? LABEL + 1 : 0);
		word(out, take(&in), &no_key, false);
		buf_text(out, "\n");
	}
}

void show_map(struct buf *out, const struct ctl *c, struct packed map)
{
	struct packed whole = map;
	size_t n = enter(&map, VALUE_MAP), i;
	struct packed one, at;
	struct value key, v;

	for (i = 0; i < n; i++) {
		packed_next(&map, &key);
		one = at = take(&map);
		packed_next(&at, &v);
		label(out, c, &key, whole);
		if (v.type == VALUE_MAP) {
			words(out, c, one);
		} else if (v.type == VALUE_LIST) {
			items(out, c, one);
		} else {
			word(out, one, &key, true);
			buf_text(out, "\n");
		}
	}
}
