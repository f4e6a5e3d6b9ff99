/* SPDX-License-Identifier: MIT
 * compile.c - the C compiler: source text to code in memory.
 *
 * libtcc with neither standard headers nor standard library: what a source may include comes from
 * headers.c, what it may call from allowed.c and core_doors(), and nothing else resolves.
 * Warnings are errors, for without that a handler of another type, or a call of an undeclared
 * function, would compile and crash.
 *
 * Pages: libtcc lays code first and data behind it, on one page. Each source is given one
 * page-aligned object in front, so data begin on a page of their own: code is made read-execute,
 * data stay read-write, and no page is ever writable and executable (libtcc's own mprotect is taken
 * out by the build).
 *
 * After an error the compiler's state is dropped: relocating it once more could succeed on half a
 * program. What else an error leaves behind is box.c's to clear away.
 *
 * Threads: libtcc keeps its state in globals; one lock is held from tcc_new to tcc_delete. What
 * crashes or hangs the compiler itself is found out before, in trial.c. */
#include "compile.h"
#include "allowed.h"
#include "box.h"
#include "headers.h"

#include <ctype.h>
#include <libtcc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SAID_MAX = 64 << 10 };   /* bytes of diagnostics, after which no more are taken */

#define FIRST_DATA "actord_data_"
#define FUNCTION "actord_function_"

static pthread_mutex_t compiler = PTHREAD_MUTEX_INITIALIZER;

struct compile {
	struct source source;           /* its file: of a plain name */
	struct buf *said;
	bool listed_calls;
	struct buf text;                /* the source's, and what goes with it */
	bool goes_on;                   /* behind what is compiled already */
	void *at; size_t room;          /* where it is to lie; NULL: anywhere */
	struct image image;
	bool passed;
};

static const struct export *symbols;    /* NULL: what this process has itself */
static struct compile begun;            /* what goes on: the box knows it by its address */
static bool marked;
static struct { char *at; size_t size; } ready; /* pages for images that are to come */

/* --- diagnostics ----------------------------------------------------------------------- */

static void note_includes(struct compile *c)
{
	buf_text(c->said, "; a source may include ");
	headers_list(c->said);
}

static void note_calls(struct compile *c)
{
	if (!c->listed_calls)
		buf_text(c->said, "; a source may call what actor.h declares, mem*, str*, "
		                  "snprintf, vsnprintf, strto*, qsort, bsearch, ctype and math");
	c->listed_calls = true;
}

/* `tcc: error: undefined symbol 'foo'` comes without a line: the name's first place in the source
 * is it. */
static void say_symbol(struct compile *c, const char *text)
{
	const char *name = strchr(text, '\''), *end = name ? strchr(name + 1, '\'') : NULL;
	int line = end ? source_line(&c->source, name + 1, (size_t)(end - name - 1)) : 0;

	diagnose(c->said, c->source.file, line, "%s", text);
	if (strstr(text, "defined twice"))
		buf_text(c->said, "; the runtime has one of that name: make yours static");
	else
		note_calls(c);
}

static int line_count(const struct source *s)
{
	int n = 1;

	for (size_t i = 0; i + 1 < s->len; i++)
		n += s->text[i] == '\n';
	return n;
}

/* libtcc has read one token ahead when it complains, which may be the end, behind the last line.
 * What is wrong in a header comes behind `In file included from ...`, a line more. */
static void say_placed(struct compile *c, const char *message)
{
	const char *file = c->source.file, *at = strrchr(message, '\n');
	size_t len = strlen(file);
	char *end;
	long line;

	buf_text(c->said, c->said->len ? "\n" : "");
	at = at ? at + 1 : message;
	if (strncmp(at, file, len) || at[len] != ':')
		buf_text(c->said, message);
	else if ((line = strtol(at + len + 1, &end, 10)) > line_count(&c->source))
		buf_printf(c->said, "%s:%d%s", file, line_count(&c->source), end);
	else
		buf_text(c->said, at);
}

static void say(void *arg, const char *message)
{
	static const char without_place[] = "tcc: error: ";
	struct compile *c = arg;

	if (c->said->len > SAID_MAX)
		return;
	if (!strncmp(message, without_place, sizeof without_place - 1)) {
		say_symbol(c, message + sizeof without_place - 1);
		return;
	}
	say_placed(c, message);
	if (strstr(message, "error: include file '"))
		note_includes(c);
	else if (strstr(message, "implicit declaration of function"))
		note_calls(c);
	else if (strstr(message, "' defined twice"))
		buf_text(c->said, "; the runtime has one of that name: make yours static");
}

/* --- the text ---------------------------------------------------------------------------- */

/* A file's name goes into a #line, so nothing in it may end the string. Gives. */
static char *plain_name(const char *file)
{
	char *plain = mem_string(file, strlen(file));

	for (char *p = plain; *p; p++)
		if (strchr("\"\\", *p) || iscntrl((unsigned char)*p))
			*p = '_';
	return plain;
}

#define BEGIN "char " FIRST_DATA " __attribute__((aligned(4096))) = 1;\n"

/* A line break ends the source: one that ends in `#include<` would hang the compiler. The function
 * wanted may be static, which a symbol's name does not reach: a pointer to it at the end does. */
static void whole_text(const struct source *s, bool goes_on, struct views *v, struct buf *b)
{
	buf_reserve(b, s->len + 512);
	buf_text(b, goes_on ? "" : BEGIN);
	buf_printf(b, "#line 1 \"%s\"\n", s->file);
	buf_add(b, s->text, s->len);
	if (s->function) {
		buf_printf(b, "\n\n#line %d \"%s\"\n",
		           source_line(s, s->function, strlen(s->function)), s->file);
		buf_text(b, "int (*const " FUNCTION ")(struct actor *, const struct msg *) = &");
		buf_printf(b, "%s;", s->function);
	}
	buf_text(b, "\n");
	views_find(v, s->text, s->len, b);
	buf_text(b, "\n");
}

/* --- the compile ----------------------------------------------------------------------- */

static void add_symbols(TCCState *tcc, const struct export *e)
{
	for (; e->name; e++)
		tcc_add_symbol(tcc, e->name, e->addr);
}

void compile_against(const struct export *all)
{
	symbols = all;
	marked = false;
}

static bool has(const struct export *e, const char *name)
{
	while (e->name && strcmp(e->name, name) != 0)
		e++;
	return e->name != NULL;
}

bool compile_symbol(size_t i, struct export *out)
{
	const struct export *e = allowed, *doors = core_doors();
	struct offer o;

	while (e->name && i)
		e++, i--;
	for (e = e->name ? e : doors; e->name && i; i--)
		e++;
	if (!e->name && !core_offer(i, &o))
		return false;
	*out = e->name ? *e : (struct export){ o.name, o.at };
	if (!e->name && (has(allowed, o.name) || has(doors, o.name)))
		*out = (struct export){ "actord_hidden_", NULL };       /* ours stays what it is */
	return true;
}

static TCCState *state_new(struct compile *c)
{
	TCCState *tcc = tcc_new();
	struct export e;

	tcc_set_error_func(tcc, c, say);
	tcc_set_options(tcc, "-g -nostdlib -nostdinc -Wall -Werror -std=c11");
	tcc_add_sysinclude_path(tcc, "include"); /* <name> is asked of headers.c as include/name */
	tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
	if (symbols)
		add_symbols(tcc, symbols);
	for (size_t i = 0; !symbols && compile_symbol(i, &e); i++)
		if (e.addr)
			tcc_add_symbol(tcc, e.name, e.addr);
	return tcc;
}

static const void *symbol(TCCState *tcc, const char *name)
{
	return name ? tcc_get_symbol(tcc, name) : NULL;
}

/* Pages of our own at `at` and nowhere else, unless that is NULL. */
static void *map(void *at, size_t size, int flags)
{
	void *to = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags |
	                (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	if (to == MAP_FAILED || !at || to == at)
		return to;
	munmap(to, size);               /* a kernel that takes the place for a wish */
	return MAP_FAILED;
}

static size_t whole_pages(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

static void drop_site(void)
{
	munmap(ready.at, ready.size);   /* of no size: nothing */
	ready.size = 0;
}

static void *pages(const struct compile *c, size_t size)
{
	size_t taken = whole_pages(size);

	if (c->at && size > c->room)
		return MAP_FAILED;
	if (c->at != ready.at || taken > ready.size) {
		drop_site();
		return map(c->at, size, 0);
	}
	ready.at += taken;              /* what lies behind them is still ours */
	ready.size -= taken;
	return c->at;
}

void image_site(void *at, size_t size)
{
	drop_site();
	ready.at = map(at, size, MAP_POPULATE);
	ready.size = ready.at == MAP_FAILED ? 0 : size;
}

static void relocate(TCCState *tcc, struct compile *c)
{
	int size = tcc_relocate(tcc, NULL);
	struct program *p = &c->image.p;
	void *at;

	if (size > PROGRAM_MAX)
		diagnose(c->said, c->source.file, 0, "its code and data have %d bytes, at most %d "
		         "are taken", size, PROGRAM_MAX);
	if (size <= 0 || size > PROGRAM_MAX)
		return;
	at = pages(c, (size_t)size);
	c->passed = at != MAP_FAILED || c->at;
	if (at == MAP_FAILED)
		return;
	*p = (struct program){ .at = at, .size = (size_t)size };
	if (tcc_relocate(tcc, at)) {
		c->passed = false;
		return;
	}
	p->text = (size_t)((const char *)symbol(tcc, FIRST_DATA) - p->at);
	p->patch = symbol(tcc, "patch");
	p->patches = symbol(tcc, "patches");
	p->process = symbol(tcc, "process");
	p->migrate = symbol(tcc, "migrate");
	p->migrate_back = symbol(tcc, "migrate_back");
	p->own = symbol(tcc, c->source.own);
	p->function = c->source.function ? symbol(tcc, FUNCTION) : NULL;
}

/* libtcc's own, in all versions that Debian 12 and 13 have: the front of its sections. */
struct section { unsigned long used; unsigned char *data; };
struct section *find_section(TCCState *tcc, const char *name);

static void keep_section(TCCState *tcc, const char *name, struct buf *out)
{
	const struct section *s = find_section(tcc, name);

	if (s->data)
		buf_add(out, s->data, s->used);
}

static bool protect(const struct program *p)
{
	return p->text < p->size && p->text % 4096 == 0 &&
	       (!p->text || !mprotect(p->at, p->text, PROT_READ | PROT_EXEC));
}

static void run(void *arg)
{
	struct compile *c = arg;
	TCCState *tcc = state_new(c);

	if (!tcc_add_file(tcc, "source.c")) {
		relocate(tcc, c);
		keep_section(tcc, ".stab", &c->image.stab);
		keep_section(tcc, ".stabstr", &c->image.str);
	}
	tcc_delete(tcc);
}

void image_drop(struct image *i)
{
	if (i->p.at)
		munmap(i->p.at, whole_pages(i->p.size));
	buf_fini(&i->stab);
	buf_fini(&i->str);
	i->p = (struct program){ 0 };
}

static bool run_box(struct compile *c)
{
	bool whole;

	if (!c->goes_on)
		return box_run(run, c);
	begun = *c;
	whole = box_go_on();
	*c = begun;
	return whole;
}

static bool compile(struct compile *c)
{
	bool whole;

	pthread_mutex_lock(&compiler);
	headers_enter(&(struct serve){ .text = c->text.p, .len = c->text.len,
	                               .folder = c->source.folder, .goes_on = c->goes_on });
	whole = run_box(c);
	headers_leave();
	pthread_mutex_unlock(&compiler);
	if (whole && c->passed)
		return true;
	image_drop(&c->image);
	if (!c->said->len)
		diagnose(c->said, c->source.file, 0, "the compiler gave up");
	return false;
}

/* views: found here, to be read from the image by image_program(). */
static bool compile_text(struct compile *c, struct views *v)
{
	char *file = plain_name(c->source.file);
	bool passed = false;

	c->source.file = file;
	if (!source_refused(&c->source, c->said)) {
		whole_text(&c->source, c->goes_on, v, &c->text);
		passed = compile(c);
	}
	buf_fini(&c->text);
	mem_free(file);
	return passed;
}

void image_ready(void)
{
	static const char text[] = BEGIN "#include \"actor.h\"\n";
	struct buf said = { 0 };

	if (marked) {
		box_back();
		return;
	}
	begun = (struct compile){ .source = { .text = "", .file = "actor.h" }, .said = &said };
	pthread_mutex_lock(&compiler);
	headers_enter(&(struct serve){ .text = text, .len = sizeof text - 1, .at_end = box_mark });
	marked = box_begin(run, &begun, COMPILE_STACK);
	headers_leave();
	pthread_mutex_unlock(&compiler);
	buf_fini(&said);
}

/* Takes the views and the mapping. */
static struct program *image_program(const struct image *i, struct views v)
{
	struct program *p;

	if (!protect(&i->p)) {
		views_fini(&v);
		return NULL;
	}
	p = mem_alloc(sizeof *p);
	*p = i->p;
	p->views = v;
	if (v.n && i->stab.len)
		views_read(&p->views, i->stab.p, i->stab.len, i->str.p, i->str.len);
	if (i->stab.len)
		p->lines = linetable_read(i->stab.p, i->stab.len, i->str.p, i->str.len, p->at);
	return p;
}

bool image_make(const struct source *s, void *at, size_t room, struct image *i, struct buf *said)
{
	struct compile c = { .source = *s, .said = said, .at = at, .room = room,
	                     .goes_on = marked && headers_begin(s->text, s->len) };
	struct views v = { 0 };
	bool passed = compile_text(&c, &v);

	views_fini(&v);
	*i = c.image;
	return passed;
}

struct program *image_take(const struct source *s, const struct image *i)
{
	struct buf text = { 0 };
	struct views v;
	struct program *p;

	views_find(&v, s->text, s->len, &text);
	p = image_program(i, v);
	buf_fini(&text);
	if (!p)
		munmap(i->p.at, whole_pages(i->p.size));
	return p;
}

struct program *program_compile(const struct source *s, struct buf *said)
{
	struct compile c = { .source = *s, .said = said };
	struct views v = { 0 };
	struct program *p = NULL;

	if (!compile_text(&c, &v)) {
		views_fini(&v);
		return NULL;
	}
	p = image_program(&c.image, v);
	if (p)
		c.image.p = (struct program){ 0 };
	else
		diagnose(said, s->file, 0, "the compiler gave up");
	image_drop(&c.image);
	return p;
}

static void where(void *arg, const void *at, struct buf *out)
{
	const struct program *p = arg;
	size_t offset = (size_t)((const char *)at - p->at);

	if (!linetable_where(p->lines, offset, out))
		buf_printf(out, "+%#zx", offset);
}

static void free_program(void *arg)
{
	program_free(arg);
}

struct code *program_hold(struct program *p)
{
	struct code *code = code_new(free_program, p);

	code_lies(code, p->at, p->size);
	code_tells(code, where);
	return code;
}

void program_free(struct program *p)
{
	if (p)
		views_fini(&p->views);
	if (p)
		linetable_free(p->lines);
	if (p)
		munmap(p->at, whole_pages(p->size));   /* TSan forgets whole pages */
	mem_free(p);
}

/* --- looking at what came out ---------------------------------------------------------- */

bool program_data(const struct program *p, const void *at, size_t size)
{
	uintptr_t from = (uintptr_t)at, begin = (uintptr_t)p->at + p->text;
	uintptr_t end = (uintptr_t)p->at + p->size;

	return from >= begin && from <= end && size <= end - from && (size < 8 || from % 8 == 0);
}

bool program_code(const struct program *p, const void *at)
{
	return (uintptr_t)at >= (uintptr_t)p->at && (uintptr_t)at < (uintptr_t)p->at + p->text;
}

bool program_string(const struct program *p, const char *s, size_t max)
{
	size_t left;

	if (!program_data(p, s, 1))
		return false;
	left = (size_t)(p->at + p->size - s);
	return memchr(s, 0, left < max + 1 ? left : max + 1) != NULL;
}
