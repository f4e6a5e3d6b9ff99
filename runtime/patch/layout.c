/* SPDX-License-Identifier: MIT
 * layout.c - types of state, from libtcc's own stabs.
 *
 * With -g libtcc writes down each struct that a variable leads to:
 * `counter:T28=s8hits:3,0,64;`, that is name, number, size, and for each field its name, type, bit
 * offset and bits. So for every state that a source speaks of one variable is declared behind its
 * end, `__typeof__(T) *actord_view_0;`, and the struct it points to is written as lines, `hits 0 64
 * long int`, nested ones included. Two layouts are the same when their lines are.
 *
 * Where the types stand is found by reading tokens, not by parsing C: what it does not see is told
 * (views.blind, or a table without a view), never guessed. */
#include "layout.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "source.h"

#define VIEW "actord_view_"
enum { DEPTH = 16, NAMES_MOST = 32, LAYOUT_MOST = 128 << 10 };    /* bytes */
enum { N_GSYM = 0x20, N_LSYM = 0x80, STAB_SIZE = 12 };

/* --- tokens ------------------------------------------------------------------------------ */

/* 'i' a word, 's' a string, or the character */
struct token { const char *p; unsigned len; char kind; };
struct tokens { struct token *at; size_t n, room; };

static void token_add(struct tokens *t, const char *p, size_t len, char kind)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 256;
		t->at = mem_resize(t->at, t->room * sizeof *t->at);
	}
	t->at[t->n++] = (struct token){ p, (unsigned)len, kind };
}

static void tokens_read(struct tokens *t, const char *p, size_t len)
{
	const char *end = p + len, *next;

	for (; p < end; p = next) {
		size_t passed = c_no_code(p, end);

		next = p + (passed ? passed : 1);
		if (passed && *p != '/') {
			token_add(t, p, passed, *p == '"' ? 's' : 'c');
		} else if (c_word(*p)) {
			while (next < end && c_word(*next))
				next++;
			token_add(t, p, (size_t)(next - p), 'i');
		} else if (!passed && !isspace((unsigned char)*p)) {
			token_add(t, p, 1, *p);
		}
	}
}

static bool is_word(const struct tokens *t, size_t i, const char *word)
{
	return i < t->n && t->at[i].kind == 'i' && t->at[i].len == strlen(word) &&
	       !memcmp(t->at[i].p, word, t->at[i].len);
}

static bool is_mark(const struct tokens *t, size_t i, char mark)
{
	return i < t->n && t->at[i].kind == mark;
}

/* Behind the bracket that closes the one at i. */
static size_t behind(const struct tokens *t, size_t i)
{
	int depth = 0;

	for (; i < t->n; i++) {
		depth += strchr("({[", t->at[i].kind) != NULL;
		depth -= strchr(")}]", t->at[i].kind) != NULL;
		if (!depth)
			return i + 1;
	}
	return i;
}

/* --- what a source speaks of -------------------------------------------------------------- */

static void view_add(struct views *v, char *name, const char *type, size_t len, struct buf *more)
{
	v->view = mem_resize(v->view, (size_t)(v->n + 1) * sizeof *v->view);
	v->view[v->n] = (struct view){ .name = name };
	buf_text(more, "__typeof__(");
	buf_add(more, type, len);
	buf_printf(more, ") *" VIEW "%d;", v->n++);
}

/* The .name within the tokens from i to end, else the first string of them. */
static char *table_name(const struct tokens *t, size_t i, size_t end)
{
	const struct token *first = NULL;

	for (; i < end; i++) {
		if (t->at[i].kind == 's' && !first)
			first = &t->at[i];
		if (is_word(t, i, "name") && is_mark(t, i - 1, '.') && is_mark(t, i + 1, '=') &&
		    is_mark(t, i + 2, 's')) {
			first = &t->at[i + 2];
			break;
		}
	}
	return first && first->len >= 2 ? mem_string(first->p + 1, first->len - 2) : NULL;
}

/* The braces of a table begin at i. */
static void look_at_table(struct views *v, const struct tokens *t, size_t i, struct buf *more)
{
	size_t end = behind(t, i);

	for (size_t k = i; k < end; k++) {
		size_t close = behind(t, k + 1);
		char *name;

		if (!is_word(t, k, "sizeof") || !is_mark(t, k + 1, '('))
			continue;
		name = table_name(t, i, end);
		if (name && (is_mark(t, close, ',') || is_mark(t, close, '}')))
			view_add(v, name, t->at[k + 1].p + 1,
			         (size_t)(t->at[close - 1].p - t->at[k + 1].p - 1), more);
		else
			mem_free(name);
		return;
	}
}

/* T of `T *s = actor_state` and of `(T *)actor_state`, where the token is at i. */
static void look_at_use(struct views *v, const struct tokens *t, size_t i, struct buf *more)
{
	size_t star = i < 3 ? 0 : is_mark(t, i - 1, '=') ? i - 3 : i - 2, first = star;
	bool told = i >= 3 && is_mark(t, star, '*') && is_mark(t, i - 1, star == i - 3 ? '=' : ')');

	while (told && first && is_mark(t, first - 1, 'i') && !is_word(t, first - 1, "return"))
		first--;
	if (told && first < star)
		view_add(v, NULL, t->at[first].p, (size_t)(t->at[star].p - t->at[first].p), more);
	else
		v->blind = true;
}

void views_find(struct views *v, const char *source, size_t len, struct buf *more)
{
	struct tokens t = { 0 };

	*v = (struct views){ 0 };
	tokens_read(&t, source, len);
	for (size_t i = 0; i < t.n; i++) {
		if (is_word(&t, i, "actor_state") && is_mark(&t, i + 1, '('))
			look_at_use(v, &t, i, more);
		else if (!is_word(&t, i, "actor_type"))
			continue;
		else if (is_mark(&t, i + 1, 'i') && is_mark(&t, i + 2, '=') &&
		         is_mark(&t, i + 3, '{'))
			look_at_table(v, &t, i + 3, more);
		else if (is_mark(&t, i + 1, ')') && is_mark(&t, i + 2, '{'))
			look_at_table(v, &t, i + 2, more);
	}
	mem_free(t.at);
}

/* --- stabs -------------------------------------------------------------------------------- */

struct field { const char *name; int name_len, type; long offset, bits; };
struct type_def {
	char kind;                      /* r * a f s u e, @ the same as elem, 0 unknown */
	const char *name; int name_len;
	int elem;
	long count, size;
	struct field *field; int fields;
};
struct stabs { struct type_def *type; long types; };

static int type_read(struct stabs *s, const char **p);

static long number_read(const char **p)
{
	char *end;
	long n = strtol(*p, &end, 10);

	*p = end;
	return n;
}

static void pass(const char **p, char mark)
{
	if (**p == mark)
		++*p;
}

static void fields_read(struct stabs *s, struct type_def *d, const char **p)
{
	mem_free(d->field);
	d->field = NULL;
	d->fields = 0;
	d->size = number_read(p);
	if (d->size < 0) {
		d->kind = 0;
		return;
	}
	while (**p && **p != ';') {
		struct field f = { .name = *p };
		const char *colon = strchr(*p, ':');

		if (!colon)
			return;
		f.name_len = (int)(colon - *p);
		*p = colon + 1;
		f.type = type_read(s, p);
		pass(p, ',');
		f.offset = number_read(p);
		pass(p, ',');
		f.bits = number_read(p);
		pass(p, ';');
		d->field = mem_resize(d->field, (size_t)(d->fields + 1) * sizeof *d->field);
		d->field[d->fields++] = f;
	}
	pass(p, ';');
}

static void array_read(struct stabs *s, struct type_def *d, const char **p)
{
	long low;

	pass(p, 'r');
	type_read(s, p);
	pass(p, ';');
	low = number_read(p);
	pass(p, ';');
	d->count = number_read(p) - low + 1;
	pass(p, ';');
	d->elem = type_read(s, p);
}

/* A number, and behind `=` what it stands for. */
static int type_read(struct stabs *s, const char **p)
{
	long n = number_read(p);
	struct type_def *d;

	if (n < 0 || n >= s->types)
		return 0;
	d = &s->type[n];
	if (**p != '=')
		return (int)n;
	++*p;
	d->kind = isdigit((unsigned char)**p) ? '@' : *(*p)++;
	switch (d->kind) {
	case '@': case '*': case 'f': d->elem = type_read(s, p); break;
	case 'a': array_read(s, d, p); break;
	case 's': case 'u': fields_read(s, d, p); break;
	default: *p += strlen(*p); break;       /* r and e: nothing follows */
	}
	return (int)n;
}

static const struct type_def *resolved(const struct stabs *s, int n)
{
	for (int i = 0; i < DEPTH && s->type[n].kind == '@' && s->type[n].elem != n; i++)
		n = s->type[n].elem;
	return &s->type[n];
}

/* --- a layout's lines ----------------------------------------------------------------------- */

static void type_words(const struct stabs *s, int n, struct buf *out, int depth)
{
	const struct type_def *d = resolved(s, n);
	const char *kind = d->kind == 's' || !d->kind ? "struct " : d->kind == 'u' ? "union " :
	                   d->kind == 'e' ? "enum " : "";

	if (depth == DEPTH)
		return;
	switch (d->kind) {
	case '*':
		type_words(s, d->elem, out, depth + 1);
		buf_text(out, " *");
		break;
	case 'a':
		type_words(s, d->elem, out, depth + 1);
		buf_printf(out, "[%ld]", d->count);
		break;
	case 'f':
		buf_text(out, "function");
		break;
	default:
		buf_printf(out, "%s%.*s", kind, d->name_len, d->name ? d->name : "");
	}
}

/* Unions of unions say more in a few lines than can be compared: beyond LAYOUT_MOST it ends. */
static void layout_lines(const struct stabs *s, const struct type_def *d, const char *prefix,
                         long base, struct buf *out, int depth)
{
	for (int i = 0; i < d->fields && depth < DEPTH && out->len <= LAYOUT_MOST; i++) {
		const struct field *f = &d->field[i];
		const struct type_def *inner = resolved(s, f->type);
		struct buf path = { 0 };

		buf_printf(&path, "%s%.*s", prefix, f->name_len, f->name);
		buf_printf(out, "%.*s %ld %ld ", (int)path.len, path.p, base + f->offset, f->bits);
		type_words(s, f->type, out, 0);
		buf_text(out, "\n");
		while (inner->kind == 'a') {
			buf_text(&path, "[]");
			inner = resolved(s, inner->elem);
		}
		buf_add(&path, ".", 2);
		layout_lines(s, inner, path.p, base + f->offset, out, depth + 1);
		buf_fini(&path);
	}
}

static void view_fill(const struct stabs *s, struct view *v, int pointer)
{
	const struct type_def *d = resolved(s, pointer);
	struct buf out = { 0 };

	d = d->kind == '*' ? resolved(s, d->elem) : d;
	if (d->kind != 's' && d->kind != 'u' && d->kind != 'r' && d->kind != '*' && d->kind != 'a')
		return;
	v->size = (size_t)d->size;
	buf_text(&out, "");
	if (d->fields)
		layout_lines(s, d, "", 0, &out, 0);
	else
		type_words(s, (int)(d - s->type), &out, 0);
	buf_add(&out, "", 1);
	if (out.len > LAYOUT_MOST)
		buf_fini(&out);
	v->text = out.p;
}

static void stab_read(struct stabs *s, struct views *v, unsigned char kind, const char *text)
{
	const char *colon = strchr(text, ':'), *p = colon ? colon + 2 : NULL;
	size_t len = sizeof VIEW - 1;
	int n;

	if (!colon)
		return;
	if (kind == N_LSYM && (colon[1] == 't' || colon[1] == 'T')) {
		n = type_read(s, &p);
		s->type[n].name = text;
		s->type[n].name_len = (int)(colon - text);
	} else if (kind == N_GSYM && !strncmp(text, VIEW, len)) {
		int i = atoi(text + len);

		n = type_read(s, &p);
		if (i < v->n)
			view_fill(s, &v->view[i], n);
	}
}

void views_read(struct views *v, const void *stab, size_t stab_len, const char *str, size_t str_len)
{
	/* A type takes two bytes at least to tell of. */
	struct stabs s = { .types = (long)str_len / 2 + 1 };

	s.type = mem_alloc((size_t)s.types * sizeof *s.type);
	/* what is told behind its use is known then */
	for (int round = 0; round < 2; round++)
		for (size_t at = 0; at + STAB_SIZE <= stab_len; at += STAB_SIZE) {
			const unsigned char *one = (const unsigned char *)stab + at;
			uint32_t place;

			memcpy(&place, one, sizeof place);
			if (place < str_len && (round || one[4] == N_LSYM))
				stab_read(&s, v, one[4], str + place);
		}
	for (long i = 0; i < s.types; i++)
		mem_free(s.type[i].field);
	mem_free(s.type);
}

void views_fini(struct views *v)
{
	for (int i = 0; i < v->n; i++) {
		mem_free(v->view[i].name);
		mem_free(v->view[i].text);
	}
	mem_free(v->view);
	*v = (struct views){ 0 };
}

const struct view *views_of(const struct views *v, const char *name)
{
	for (int i = 0; i < v->n; i++)
		if (v->view[i].name && !strcmp(v->view[i].name, name))
			return &v->view[i];
	return NULL;
}

/* --- was and is ----------------------------------------------------------------------------- */

/* The line of a layout that begins with this field, or NULL; *len without its end. */
static const char *field_line(const char *layout, const char *name, size_t name_len, size_t *len)
{
	for (const char *p = layout; *p;) {
		*len = strcspn(p, "\n");
		if (!strncmp(p, name, name_len) && p[name_len] == ' ')
			return p;
		p += *len + (p[*len] == '\n');
	}
	return NULL;
}

static void field_words(struct buf *out, const char *line, size_t len)
{
	long offset = 0, bits = 0;
	int at = 0;

	if (sscanf(line, "%*s %ld %ld %n", &offset, &bits, &at) < 2)
		return;
	buf_printf(out, "%.*s", (int)len - at, line + at);
	if (offset % 8 || bits % 8)
		buf_printf(out, " at bit %ld (%ld bits)", offset, bits);
	else
		buf_printf(out, " at byte %ld", offset / 8);
}

static void differ(const char *a, const char *b, bool both, const char *word, struct buf *out)
{
	for (const char *p = a; *p;) {
		size_t len = strcspn(p, "\n"), name = strcspn(p, " "), other_len;
		const char *other = field_line(b, p, name, &other_len);

		if (!other || (both && (len != other_len || memcmp(p, other, len) != 0))) {
			buf_printf(out, "%s%.*s: %s ", out->len ? "; " : "", (int)name, p, other ?
			           "was" : word);
			field_words(out, p, len);
			if (other) {
				buf_text(out, ", is ");
				field_words(out, other, other_len);
			}
		}
		p += len + (p[len] == '\n');
	}
}

void layout_names(const char *layout, struct buf *out)
{
	int n = 0;

	for (const char *p = layout; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len = strcspn(p, " ");

		if (strcspn(p, ".[") < len)
			continue;
		if (++n > NAMES_MOST) {
			buf_text(out, ", ...");
			return;
		}
		buf_printf(out, "%s%.*s", n > 1 ? ", " : "", (int)len, p);
	}
}

void layout_difference(const char *was, const char *is, struct buf *out)
{
	struct buf words = { 0 };

	differ(was, is, true, "is gone, was", &words);
	differ(is, was, false, "is new,", &words);
	buf_add(out, words.p, words.len);
	buf_fini(&words);
}
