/* SPDX-License-Identifier: MIT
 * explain.c - bare diagnostics made into ones that a person can act on.
 *
 *     fix.c:5: error: implicit declaration of function 'msg_repyl'
 *
 * becomes, with what the source and the API's names tell,
 *
 *     fix.c:5: error: implicit declaration of function 'msg_repyl'; did you mean msg_reply?
 *         5 |   return msg_repyl(m, 1);
 *           |          ^~~~~~~~~
 *
 * libtcc gives no column, and as it has read one token ahead its line may be a later one: the thing
 * that it names is looked for in that line and in the few above. Names are compared by the number
 * of letters added, left out, changed or swapped (Damerau and Levenshtein).
 *
 * Threads: any. */
#include "explain.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "allowed.h"
#include "headers.h"

enum {
	SHOWN_MAX = 20,         /* diagnostics; those behind them are only counted */
	ABOVE_MAX = 5,          /* lines that libtcc may be behind */
	WIDTH_MAX = 160,        /* bytes of a line shown */
	NAME_MAX = 40,          /* longer ones are no misspelling */
	NEAR_MAX = 3,           /* names suggested */
};

struct piece { const char *p; size_t len; };

static bool word_char(char c) { return c_word(c) || c < 0; }

static bool is_name(struct piece t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!word_char(t.p[i]))
			return false;
	return t.len && !isdigit((unsigned char)*t.p);
}

/* --- names that are near ---------------------------------------------------------------- */

struct near {
	struct piece name;
	int most, best;
	struct piece found[NEAR_MAX];
	int n;
};

static int least(int a, int b, int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Rows i-2, i-1 and i of the table of Damerau and Levenshtein, one letter a step. */
static int distance(struct piece a, struct piece b)
{
	int row[3][NAME_MAX + 1];

	for (size_t i = 0; i <= a.len; i++) {
		int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (int)i;
		for (size_t j = 1; j <= b.len; j++) {
			if (!i) {
				now[j] = (int)j;
				continue;
			}
			now[j] = least(last[j] + 1, now[j - 1] + 1,
			               last[j - 1] + (a.p[i - 1] != b.p[j - 1]));
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return row[a.len % 3][b.len];
}

static bool same(struct piece a, struct piece b)
{
	return a.len == b.len && !memcmp(a.p, b.p, a.len);
}

static void near_try(struct near *n, struct piece t)
{
	int d;

	if (t.len < 3 || t.len > NAME_MAX || t.p[t.len - 1] == '_' || same(t, n->name) ||
	    abs((int)t.len - (int)n->name.len) > n->best)
		return;
	d = distance(n->name, t);
	if (d > n->best)
		return;
	if (d < n->best)
		n->n = 0;
	n->best = d;
	for (int i = 0; i < n->n; i++)
		if (same(n->found[i], t))
			return;
	if (n->n < NEAR_MAX)
		n->found[n->n++] = t;
}

static void near_words(struct near *n, struct piece text)
{
	const char *p = text.p, *end = p + text.len;
	size_t len;

	while (p < end) {
		if ((len = c_no_code(p, end))) {
			p += len;
			continue;
		}
		for (len = 0; p + len < end && word_char(p[len]); len++)
			;
		if (len && !isdigit((unsigned char)*p))
			near_try(n, (struct piece){ p, len });
		p += len ? len : 1;
	}
}

static void near_exports(struct near *n, const struct export *e)
{
	for (; e->name; e++)
		near_try(n, (struct piece){ e->name, strlen(e->name) });
}

static void near_header(void *arg, const struct header *h)
{
	near_words(arg, (struct piece){ h->text, h->len });
}

/* Appends "; did you mean a, b or c?" where there are any. */
static void say_near(struct buf *out, const struct source *s, struct piece name)
{
	struct near n = { .name = name, .best = (int)(name.len + 1) / 3 };

	if (!is_name(name) || name.len < 3 || name.len > NAME_MAX)
		return;
	near_exports(&n, core_doors());
	near_exports(&n, allowed);
	headers_of_actors(near_header, &n);
	near_words(&n, (struct piece){ s->text, s->len });
	for (int i = 0; i < n.n; i++)
		buf_printf(out, "%s%.*s", i == 0 ? "; did you mean " : i + 1 < n.n ? ", " : " or ",
		           (int)n.found[i].len, n.found[i].p);
	buf_text(out, n.n ? "?" : "");
}

/* What libtcc says of a call of actor.h's macros, and what it means there. */
static void say_meaning(struct buf *out, struct piece said, struct piece line)
{
	static const struct { const char *said, *near, *means; } meant[] = {
		{ "does not match any association", "",
		  "; a value is an integer, a floating point number, a string or a bool; for "
		  "anything else see msg_out in actor.h" },
		{ "initializer element is not constant", "actor_",
		  "; a value that is itself a call with values (actor_send, actor_after, ...) goes "
		  "into a variable first" },
		{ "makes integer from pointer", "actor_send",
		  "; an actor is named by its reference, actor_find(\"its name\")" },
		{ "makes integer from pointer", "actor_ask",
		  "; an actor is named by its reference, actor_find(\"its name\")" },
	};

	for (size_t i = 0; i < ARRAY_LEN(meant); i++)
		if (memmem(said.p, said.len, meant[i].said, strlen(meant[i].said)) &&
		    memmem(line.p, line.len, meant[i].near, strlen(meant[i].near))) {
			buf_text(out, meant[i].means);
			return;
		}
}

/* --- what a diagnostic speaks of ---------------------------------------------------------- */

static struct piece behind(struct piece text, const char *words, const char *ends)
{
	const char *p = memmem(text.p, text.len, words, strlen(words));
	size_t len = 0;

	if (!p)
		return (struct piece){ NULL, 0 };
	p += strlen(words);
	while (p + len < text.p + text.len && !strchr(ends, p[len]))
		len++;
	return (struct piece){ p, len };
}

/* A name that was not found, or nothing. */
static struct piece unknown_in(struct piece text)
{
	static const char *const before[] = {
		"undefined symbol '", "declaration of function '", "field not found: ",
		"there is no function ",
	};
	struct piece t = { NULL, 0 };

	for (size_t i = 0; !t.len && i < ARRAY_LEN(before); i++)
		t = behind(text, before[i], "' ");
	if (!t.len && memmem(text.p, text.len, "' undeclared", 12))
		t = behind(text, "'", "'");
	return t;
}

/* What to put the caret under: what was unknown, what was met instead of something, what is named
 * in quotes, the handler of "counter.hit takes ...". */
static struct piece thing_in(struct piece text)
{
	struct piece t = unknown_in(text);

	if (!t.len)
		t = behind(text, "(got \"", "\"");
	if (!t.len)
		t = behind(text, "'", "'");
	if (!t.len && (t = behind(text, "error: ", ": ")).len) {
		const char *dot = memrchr(t.p, '.', t.len);

		t = dot ? (struct piece){ dot + 1, (size_t)(t.p + t.len - dot - 1) }
		        : (struct piece){ NULL, 0 };
	}
	return t;
}

static struct piece line_text(const struct source *s, int line)
{
	const char *p = s->text, *end = s->text + s->len, *nl = p;

	while (line > 1 && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		p = nl + 1;
		line--;
	}
	if (!nl || line < 1)
		return (struct piece){ NULL, 0 };
	nl = memchr(p, '\n', (size_t)(end - p));
	return (struct piece){ p, (size_t)((nl ? nl : end) - p) };
}

/* Where a thing stands in a line, not as part of a longer word; NULL: nowhere. */
static const char *find(struct piece line, struct piece t)
{
	bool name = is_name(t);
	const char *p = line.p, *end = line.p + line.len;

	while (t.len && p < end && (p = memmem(p, (size_t)(end - p), t.p, t.len))) {
		if (!name || ((p == line.p || !word_char(p[-1])) &&
		              (p + t.len == end || !word_char(p[t.len]))))
			return p;
		p++;
	}
	return NULL;
}

static int place_of(const struct source *s, int line, struct piece t)
{
	for (int up = 0; is_name(t) && up <= ABOVE_MAX && up < line; up++)
		if (find(line_text(s, line - up), t))
			return line - up;
	return line;
}

/* --- showing ----------------------------------------------------------------------------- */

/* A letter of several bytes is one column, a tab what is left of eight. */
static int columns(char c, int column)
{
	return c == '\t' ? 8 - column % 8 : ((unsigned char)c & 0xc0) != 0x80;
}

static void show(struct buf *out, const struct source *s, int line, struct piece t)
{
	struct piece text = line_text(s, line);
	const char *at = find(text, t), *p;
	int column = 0;

	if (!text.p || text.len > WIDTH_MAX)
		return;
	buf_printf(out, "\n%5d | ", line);
	for (p = text.p; p < text.p + text.len; column += columns(*p++, column))
		if (*p == '\t')
			buf_printf(out, "%*s", columns(*p, column), "");
		else
			buf_add(out, p, 1);
	if (!at)
		return;
	for (column = 0, p = text.p; p < at; p++)
		column += columns(*p, column);
	buf_printf(out, "\n      | %*s^", column, "");
	for (size_t i = 1; i < t.len; i++)
		buf_text(out, "~");
}

/* "FILE:LINE:": 0 where that is not how it begins. */
static int line_named(const struct source *s, struct piece d)
{
	size_t len = strlen(s->file);

	bool ours = d.len > len + 1 && !memcmp(d.p, s->file, len) && d.p[len] == ':';

	return ours ? atoi(d.p + len + 1) : 0;
}

static void one(const struct source *s, struct buf *out, struct piece d)
{
	int line = line_named(s, d), better;
	struct piece t = thing_in(d), unknown = unknown_in(d);
	const char *rest = d.p, *note = memmem(d.p, d.len, "; a source may ", 15);

	better = line ? place_of(s, line, t) : 0;
	if (line) {
		rest = strchr(d.p + strlen(s->file) + 1, ':');
		buf_printf(out, "%s:%d", s->file, better);
	}
	note = note ? note : d.p + d.len;
	buf_add(out, rest, (size_t)(note - rest));
	say_near(out, s, unknown);
	if (line)
		say_meaning(out, d, line_text(s, better));
	buf_add(out, note, (size_t)(d.p + d.len - note));
	if (line)
		show(out, s, better, t);
}

void explain(const struct source *s, struct buf *said)
{
	struct buf out = { 0 };
	int n = 0;

	buf_add(said, "", 1);
	for (const char *p = said->p, *end; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		if (n++ < SHOWN_MAX) {
			buf_text(&out, out.len ? "\n" : "");
			one(s, &out, (struct piece){ p, (size_t)(end - p) });
		}
	}
	if (n > SHOWN_MAX)
		buf_printf(&out, "\n... and %d more", n - SHOWN_MAX);
	buf_fini(said);
	*said = out;
}
