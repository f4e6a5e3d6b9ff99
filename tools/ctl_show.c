/* SPDX-License-Identifier: MIT
 * ctl_show.c - see ctl_show.h.
 *
 * The idea: the runtime says what there is, as maps and lists; how it looks follows from
 * its shape, so a section that a later runtime adds is shown by this actorctl too. A key's
 * unit (_ms, _bytes) turns into words. Names come from outside and may hold anything: all
 * text goes through show_text(). */
#include "ctl_show.h"

#include <stdio.h>
#include <time.h>

#include "json.h"

enum { LABEL = 12, LABEL_MOST = 17, COLUMNS_MAX = 24, LINE = 80, CELL_LEAST = 8, CELL_ROOMY = 16,
       WITH_MS = sizeof "2026-11-23T12:00:00.000Z" - 1 };

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
	else if (s < 60)
		buf_printf(out, "%lld s", (long long)s);
	else if (s < 3600)
		buf_printf(out, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else if (s < 48 * 3600)
		buf_printf(out, "%lld h %lld min", (long long)(s / 3600),
			(long long)(s % 3600 / 60));
	else
		buf_printf(out, "%lld d %lld h", (long long)(s / 86400),
			(long long)(s % 86400 / 3600));
}

static void bytes(struct buf *out, int64_t n)
{
	if (n < 10000)
		buf_printf(out, "%lld B", (long long)n);
	else if (n < 1000000)
		buf_printf(out, "%.1f kB", (double)n / 1e3);
	else if (n < 10000000000)
		buf_printf(out, "%.1f MB", (double)n / 1e6);
	else
		buf_printf(out, "%.1f GB", (double)n / 1e9);
}

static void moment(struct buf *out, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[40] = "";

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_text(out, text);
}

/* Is it measured, so that three digits say all? */
static bool is_measured(const struct value *key)
{
	return ends(key->str, key->len, "_us") || value_is_text(key, "per_s") ||
	       value_is_text(key, "cpu");
}

static void measured(struct buf *out, double v)
{
	buf_printf(out, "%.*f", v < 9.995 && v > 0 ? 2 : v < 99.95 && v > 0 ? 1 : 0, v);
}

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
		if (value_is_text(key, names[i]))
			return true;
	return false;
}

/* One value as a word or two; units: a number of a key with a unit is spelt out. */
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
	else if (v.type == VALUE_INT && value_is_text(key, "wall_ms"))
		moment(out, v.i);
	else if (v.type == VALUE_NUM && is_measured(key))
		measured(out, v.num);
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
	bool whole[COLUMNS_MAX];        /* never cut: numbers and moments */
	bool left_out[COLUMNS_MAX];
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

static bool is_moment(const struct value *key)
{
	return value_is_text(key, "wall_ms") || value_is_text(key, "time") ||
	       value_is_text(key, "since");
}

static bool is_bytes(const struct value *key)
{
	return ends(key->str, key->len, "_bytes");
}

static void heading(struct table *t, size_t column)
{
	const struct value *key = &t->key[column];
	size_t at = t->text.len, i;

	if (value_is_text(key, "wall_ms"))
		buf_text(&t->text, "time");
	else
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
	if (packed_find(map, key, &one)) {
		packed_next(&(struct packed){ one.at, one.end }, &v);
		if (v.type == VALUE_STR && is_moment(&t->key[column]) && v.len == WITH_MS)
			buf_printf(&t->text, "%.19sZ", v.str);
		else
			word(&t->text, one, &t->key[column], is_bytes(&t->key[column]));
		t->number[column] |= (v.type == VALUE_INT || v.type == VALUE_NUM) &&
		                     !is_moment(&t->key[column]);
		t->whole[column] = t->number[column] || is_moment(&t->key[column]);
	} else {
		buf_text(&t->text, "-");
	}
	cell_end(t, row, column, at);
}

/* Of a line, where no text has more than so many columns. */
static size_t table_width(const struct table *t, int indent, size_t most)
{
	size_t total = (size_t)indent, shown = 0;

	for (size_t i = 0; i < t->columns; i++) {
		if (t->left_out[i])
			continue;
		total += t->whole[i] || t->width[i] < most ? t->width[i] : most;
		total += shown++ ? 2 : 0;
	}
	return total;
}

/* What is said by the others, too, or is wanted least. False: nothing more of that kind. */
static bool leave_out(struct table *t)
{
	static const struct { const char *key, *beside; } least[] = {
		{ "us", "calls" }, { "client", "calls" }, { "p50_us", "p99_us" },
		{ "state", "activity" }, { "asks", "activity" }, { "self", "topics" },
		{ "rollout", "topics" }, { "sha256", "handlers" }, { "targets", "handlers" },
		{ "bytes", "handlers" }, { "file", "handlers" }, { "origin", "handlers" },
	};

	for (size_t i = 0; i < ARRAY_LEN(least); i++) {
		bool beside = false;
		size_t at = t->columns;

		for (size_t k = 0; k < t->columns; k++) {
			beside |= value_is_text(&t->key[k], least[i].beside);
			if (value_is_text(&t->key[k], least[i].key) && !t->left_out[k])
				at = k;
		}
		if (beside && at < t->columns)
			return t->left_out[at] = true;
	}
	return false;
}

/* On a terminal columns are left out until names have room, then the widest texts give way. */
static void table_fit(struct table *t, int columns, int indent)
{
	size_t widest;

	while (table_width(t, indent, CELL_ROOMY) > (size_t)columns && leave_out(t))
		;
	while (table_width(t, indent, SIZE_MAX) > (size_t)columns) {
		widest = t->columns;
		for (size_t i = 0; i < t->columns; i++)
			if (!t->whole[i] && !t->left_out[i] && t->width[i] > CELL_LEAST &&
			    (widest == t->columns || t->width[i] > t->width[widest]))
				widest = i;
		if (widest == t->columns)
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
		size_t shown = 0;

		spaces(out, (size_t)indent);
		if (row == 0 && c->colour)
			buf_text(out, "\033[1m");
		for (column = 0; column < t->columns; column++) {
			if (t->left_out[column])
				continue;
			spaces(out, shown++ ? 2 : 0);
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
	struct value other;

	len -= ends(key->str, len, "_ms") ? 3 : ends(key->str, len, "_bytes") ? 6 : 0;
	snprintf(rest, sizeof rest, "%.*s", (int)len, key->str);
	other = packed_get(map, rest);
	show_text(out, key->str, other.type == VALUE_STR || !strcmp(rest, "max") ? key->len : len);
	for (; at < out->len; at++)
		if (out->p[at] == '_')
			out->p[at] = ' ';
}

/* room: columns of the map's longest key. */
static void label(struct buf *out, const struct ctl *c, const struct value *key, struct packed map,
                  size_t room)
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
	spaces(out, n < room ? room - n + 1 : 1);
}

/* key value  key value, on as many lines as it takes. */
static void words(struct buf *out, const struct ctl *c, struct packed map, size_t room)
{
	size_t limit = c->columns ? (size_t)c->columns : LINE, used = room + 1, i, n;
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
		if (used > room + 1 && used + 2 + n > limit) {
			buf_text(out, "\n");
			spaces(out, room + 1);
			used = room + 1;
		}
		spaces(out, used > room + 1 ? 2 : 0);
		buf_add(out, pair.p, pair.len);
		used += n + (used > room + 1 ? 2 : 0);
	}
	buf_text(out, pairs ? "\n" : "none\n");
	buf_fini(&pair);
}

static void items(struct buf *out, const struct ctl *c, struct packed list, size_t room)
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
		spaces(out, i ? room + 1 : 0);
		word(out, take(&in), &no_key, false);
		buf_text(out, "\n");
	}
}

static size_t label_room(struct packed map)
{
	size_t n = enter(&map, VALUE_MAP), room = LABEL;
	struct value key;

	for (; n > 0; n--) {
		packed_next(&map, &key);
		packed_skip(&map);
		if (key.len > room && key.len <= LABEL_MOST)
			room = key.len;
	}
	return room;
}

void show_map(struct buf *out, const struct ctl *c, struct packed map)
{
	struct packed whole = map;
	size_t room = label_room(map), n = enter(&map, VALUE_MAP), i;
	struct packed one, at;
	struct value key, v;

	for (i = 0; i < n; i++) {
		packed_next(&map, &key);
		one = at = take(&map);
		packed_next(&at, &v);
		label(out, c, &key, whole, room);
		if (v.type == VALUE_MAP) {
			words(out, c, one, room);
		} else if (v.type == VALUE_LIST) {
			items(out, c, one, room);
		} else {
			word(out, one, &key, true);
			buf_text(out, "\n");
		}
	}
}
