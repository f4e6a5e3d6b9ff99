/* SPDX-License-Identifier: MIT
 * load.c - the actors of the command line: ACTOR.c, compiled like a patch, and ACTOR.so.
 *
 * Either exports its table under the file's own name. A shared object may use what it likes; a
 * source may use what a patch may, and headers of its own folder, which later patches may include
 * too.
 *
 * Threads: the main thread, before the node is ready. What is loaded stays for good. */
#include "patch.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "builds.h"
#include "exported.h"
#include "fields.h"
#include "headers.h"
#include "trial.h"

/* "room" of "games/room.c". False with why: that is no name of a C object. */
static bool own_name(const char *path, const char *suffix, char name[NAME_MAX_LEN + 1],
                     struct why *why)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strlen(base), end = strlen(suffix);

	if (len > end && !strcmp(base + len - end, suffix))
		len -= end;
	snprintf(name, NAME_MAX_LEN + 1, "%.*s", (int)len, base);
	if (c_identifier(name) && strcmp(name, "main"))
		return true;
	why_set(why, ACTOR_EARGS,
	        "%.200s: the actor's table is named as its file is, and %.100s is no name in C: "
	        "letters, digits and _ only, no digit first",
	        path, name);
	return false;
}

static int read_file(const char *path, struct buf *text, struct why *why)
{
	FILE *f = fopen(path, "re");
	size_t n;
	int rc = 0;

	if (!f)
		return why_set(why, ACTOR_ENOENT, "%.300s: %s", path, strerror(errno));
	do {
		buf_reserve(text, 65536);
		n = fread(text->p + text->len, 1, 65536, f);
		text->len += n;
	} while (n && text->len <= SOURCE_MAX);
	if (ferror(f))
		rc = why_set(why, ACTOR_EFAIL, "%.300s: %s", path, strerror(errno));
	fclose(f);
	return rc;
}

static const char *layout_in(const struct program *p, const char *name)
{
	const struct view *v = views_of(&p->views, name);

	return v ? v->text : NULL;
}

/* Compiled once more: gcc, which made what runs, does not say here what it believes of the
 * state. */
void patch_shipped(struct type *type, const char *name)
{
	struct source s = { .file = name };
	struct buf said = { 0 };
	struct program *p;

	s.text = headers_shipped(name, &s.len);
	if (!s.text)
		return;
	p = program_compile(&s, &said);
	builds_note(type, s.text, s.len, p ? layout_in(p, type_name(type)) : NULL);
	program_free(p);
	buf_fini(&said);
}

int patch_fields(struct type *type, const void *state, size_t len, struct buf *rows)
{
	const char *layout = builds_layout(type);

	return layout && len ? fields_write(layout, state, len, rows) : -1;
}

static struct type *add_program(const struct source *s, struct program *p, struct why *why)
{
	struct code *code = program_hold(p);
	struct buf said = { 0 };
	const struct actor_type *t = exported_actor(&(struct exam){ s, p, &said });
	struct type *type = NULL;
	struct why inner;

	if (!t)
		why_set(why, ACTOR_EARGS, "%.*s", (int)said.len, said.p);
	else if (!(type = core_add_type(t, NULL, code, &inner)))
		why_set(why, ACTOR_EARGS, "%.200s: %.300s", s->file, inner.text);
	if (type)
		builds_note(type, s->text, s->len, layout_in(p, type_name(type)));
	buf_fini(&said);
	code_drop(code);
	return type;
}

/* Only what ends the compiler is held against it: the trial has of the folder what the source's
 * lines name, which need not be all. */
static bool may_compile(const struct source *s, struct buf *said)
{
	bool survived;

	headers_gather(s->folder, s->text, s->len);
	survived = trial_survived(s, said);
	if (survived)
		buf_clear(said);
	return survived;
}

static struct type *compile_and_add(const char *path, const char *name, const struct buf *text,
                                    struct why *why)
{
	char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;
	struct source s = {
		.text = text->p, .len = text->len, .file = path, .folder = real, .own = name
	};
	struct buf said = { 0 };
	struct type *type = NULL;
	struct program *p;

	if (slash)
		*slash = 0;
	p = may_compile(&s, &said) ? program_compile(&s, &said) : NULL;
	if (p)
		type = add_program(&s, p, why);
	else
		why_set(why, ACTOR_EARGS, "%.*s", (int)said.len, said.p);
	buf_fini(&said);
	free(real);
	return type;
}

struct type *patch_load_source(const char *path, struct why *why)
{
	char name[NAME_MAX_LEN + 1];
	struct buf text = { 0 };
	struct type *type = NULL;

	if (own_name(path, ".c", name, why) && !read_file(path, &text, why))
		type = compile_and_add(path, name, &text, why);
	buf_fini(&text);
	return type;
}

static void note_object(struct type *type, const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf text = { 0 };
	size_t n;

	do {
		buf_reserve(&text, 65536);
		n = f ? fread(text.p + text.len, 1, 65536, f) : 0;
		text.len += n;
	} while (n);
	if (f)
		fclose(f);
	builds_note(type, text.p, text.len, NULL);
	buf_fini(&text);
}

struct type *patch_load_object(const char *path, struct why *why)
{
	char name[NAME_MAX_LEN + 1];
	char *real = realpath(path, NULL);      /* dlopen looks for a bare name elsewhere */
	struct type *type = NULL;
	const struct actor_type *t;
	void *object;

	if (!own_name(path, ".so", name, why)) {
		free(real);
		return NULL;
	}
	object = dlopen(real ? real : path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		why_set(why, ACTOR_ENOENT, "%s", dlerror());
		free(real);
		return NULL;
	}
	t = dlsym(object, name);
	if (t && (type = core_add_type(t, NULL, NULL, why)))
		note_object(type, real ? real : path);
	free(real);
	if (!t)
		why_set(why, ACTOR_EARGS,
		        "%.200s: it exports no table: write `const struct actor_type %.100s = ...`",
		        path, name);
	return type;
}
