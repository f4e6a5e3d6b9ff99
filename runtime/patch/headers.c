/* SPDX-License-Identifier: MIT
 * headers.c - the only files that a source being compiled can see.
 *
 * libtcc opens what a source includes with open(2), reads and closes it; the build renames these
 * calls of it (patch.cmake). It gets the headers in memory by descriptors that no kernel knows
 * (FIRST_FD and up), and nothing else, not even the standard input. So no file of the machine is
 * touched, and no compiler or header has to be installed. The source itself is the first file.
 *
 * Names: the runtime's own headers come first and cannot be hidden; then the folder of an
 * actor given as source; then what such folders gave before; then the headers of the actors
 * shipped.
 *
 * Threads: compile.c's lock is held whenever `serving` is set, so the list of kept headers needs
 * none. */
#include "headers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

struct carried { const char *name, *text; uint64_t len; };
extern const struct carried headers_carried[];  /* made by patch.cmake; ends with 0 */
extern const struct carried sources_carried[];  /* likewise: the shipped actors */

struct kept {                   /* a header from the folder of an actor's source */
	struct kept *next;
	char *name, *folder, *text;
	size_t len;
};
static struct kept *kept_first, **kept_last = &kept_first;

enum {
	FIRST_FD   = 1 << 30,   /* above all that the kernel gives (fs.nr_open) */
	FILES_OPEN = 40,        /* libtcc nests 32 includes */
	HEADER_MAX = 1 << 20,
};
/* libtcc looks in here for <names>; see compile.c */
static const char search_path[] = "include/";

struct serving {
	struct serve now;
	bool begun;
	struct file { const char *text; size_t len, at; } file[FILES_OPEN];
};
static struct serving *serving;

int headers_open(const char *path, int flags, ...);
ssize_t headers_read(int fd, void *to, size_t n);
int headers_close(int fd);

static int serve(const char *text, size_t len)
{
	for (int i = 0; text && i < FILES_OPEN; i++)
		if (!serving->file[i].text) {
			serving->file[i] = (struct file){ text, len, 0 };
			return FIRST_FD + i;
		}
	errno = ENOENT;
	return -1;
}

static int serve_source(void)
{
	serving->begun = true;
	return serve(serving->now.text, serving->now.len);
}

void headers_enter(const struct serve *s)
{
	serving = mem_alloc(sizeof *serving);
	serving->now = *s;
	if (s->goes_on)
		serve_source();
}

void headers_leave(void)
{
	mem_free(serving);
	serving = NULL;
}

/* The runtime's own are those that no actor brought: actor.h and C's. */
static bool carried_own(const char *name)
{
	static const char *const own[] = {
		"actor.h", "ctype.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdarg.h",
		"stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
	};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(own[i], name))
			return true;
	return false;
}

static const struct carried *carried_find(const char *name)
{
	for (const struct carried *c = headers_carried; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* Of a folder, or of any. */
static const struct kept *kept_find(const char *name, const char *folder)
{
	const struct kept *k = kept_first;

	while (k && (strcmp(k->name, name) || (folder && strcmp(k->folder, folder))))
		k = k->next;
	return k;
}

/* Two folders brought different ones: a patch could mean either. */
static bool kept_ambiguous(const struct kept *k)
{
	for (const struct kept *o = k->next; o; o = o->next)
		if (!strcmp(o->name, k->name) &&
		    (o->len != k->len || memcmp(o->text, k->text, k->len)))
			return true;
	return false;
}

static const struct kept *keep(const char *name, const char *folder, char *text, size_t len)
{
	struct kept *k = mem_alloc(sizeof *k);

	k->name = mem_string(name, strlen(name));
	k->folder = mem_string(folder, strlen(folder));
	k->text = text;
	k->len = len;
	*kept_last = k;
	kept_last = &k->next;
	return k;
}

void headers_keep(const struct header *h)
{
	keep(h->name, h->folder, mem_string(h->text, h->len), h->len);
}

bool headers_kept(size_t i, struct header *out)
{
	const struct kept *k = kept_first;

	while (k && i--)
		k = k->next;
	if (k)
		*out = (struct header){ k->name, k->folder, k->text, k->len };
	return k;
}

/* Only below the folder: not absolute, no way up. */
static bool inside(const char *name)
{
	if (*name == '/' || !*name)
		return false;
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return false;
	}
	return true;
}

static char *file_text(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= HEADER_MAX) {
		ssize_t n;

		text = mem_alloc((size_t)st.st_size + 1);
		*len = 0;
		while (*len < (size_t)st.st_size &&
		       (n = read(fd, text + *len, (size_t)st.st_size - *len)) > 0)
			*len += (size_t)n;
	}
	close(fd);
	return text;
}

static const struct kept *from_folder(const char *folder, const char *name)
{
	const struct kept *k;
	char path[PATH_MAX], *text;
	size_t len;

	if (!folder || !inside(name) ||
	    snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
		return NULL;
	if ((k = kept_find(name, folder)))
		return k;
	text = file_text(path, &len);
	return text ? keep(name, folder, text, len) : NULL;
}

/* The name in `#include "name"`, of a line; false: it is no such line. */
static bool included(const char *line, size_t len, char name[PATH_MAX])
{
	static const char word[] = "include";
	const char *end = line + len, *to;

	while (line < end && strchr(" \t#", *line))
		line++;
	if ((size_t)(end - line) < sizeof word || memcmp(line, word, sizeof word - 1))
		return false;
	for (line += sizeof word - 1; line < end && strchr(" \t", *line); line++)
		;
	if (line == end || !strchr("\"<", *line))
		return false;
	to = memchr(line + 1, *line == '<' ? '>' : '"', (size_t)(end - line - 1));
	return to && snprintf(name, PATH_MAX, "%.*s", (int)(to - line - 1), line + 1) < PATH_MAX;
}

void headers_gather(const char *folder, const char *text, size_t len)
{
	const char *p = text, *end = text + len, *nl;
	char name[PATH_MAX];

	for (; p < end; p = nl + 1) {
		const struct kept *k = NULL;

		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if (included(p, (size_t)(nl - p), name) && !carried_own(name) &&
		    !kept_find(name, folder))
			k = from_folder(folder, name);
		if (k)
			headers_gather(folder, k->text, k->len);
	}
}

/* Behind blanks and comments. */
static const char *first_word(const char *p, const char *end)
{
	while (p < end) {
		size_t len = *p == '/' ? c_no_code(p, end) : isspace((unsigned char)*p) != 0;

		if (!len)
			break;
		p += len;
	}
	return p;
}

bool headers_begin(const char *text, size_t len)
{
	const char *p = text, *end = text + len, *nl;
	char name[PATH_MAX];

	for (;; p = nl) {
		p = first_word(p, end);
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || *p != '#' || !included(p, (size_t)(nl - p), name) || !carried_own(name))
			return false;
		if (!strcmp(name, "actor.h"))
			return true;
	}
}

static const char *text_of(const char *name, size_t *len)
{
	const struct carried *c = carried_find(name);
	const struct kept *k = NULL;

	if (!c || !carried_own(name)) {
		k = from_folder(serving->now.folder, name);
		if (!k && (k = kept_find(name, NULL)) && kept_ambiguous(k))
			return NULL;
	}
	if (!k && !c)
		return NULL;
	*len = k ? k->len : c->len;
	return k ? k->text : c->text;
}

int headers_open(const char *path, int flags, ...)
{
	size_t skip = sizeof search_path - 1, len = 0;
	const char *text;

	(void)flags;
	if (!serving->begun)
		return serve_source();
	text = text_of(strncmp(path, search_path, skip) ? path : path + skip, &len);
	return serve(text, len);
}

ssize_t headers_read(int fd, void *to, size_t n)
{
	struct file *f;
	size_t left;

	if (fd < FIRST_FD || fd >= FIRST_FD + FILES_OPEN)
		return 0;
	f = &serving->file[fd - FIRST_FD];
	if (fd == FIRST_FD && f->at == f->len && serving->now.at_end) {
		serving->now.at_end();
		f = &serving->file[0];          /* of who serves now */
	}
	left = f->len - f->at;
	n = n < left ? n : left;
	memcpy(to, f->text + f->at, n);
	f->at += n;
	return (ssize_t)n;
}

int headers_close(int fd)
{
	if (fd >= FIRST_FD && fd < FIRST_FD + FILES_OPEN)
		serving->file[fd - FIRST_FD].text = NULL;
	return 0;
}

const char *headers_shipped(const char *name, size_t *len)
{
	const struct carried *c = sources_carried;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	*len = c->len;
	return c->text;
}

void headers_list(struct buf *out)
{
	const char *comma = "";

	for (const struct carried *c = headers_carried; c->name; c++, comma = ", ")
		buf_printf(out, "%s%s", comma, c->name);
	for (const struct kept *k = kept_first; k; k = k->next)
		if (!carried_find(k->name) && kept_find(k->name, NULL) == k && !kept_ambiguous(k))
			buf_printf(out, "%s%s", comma, k->name);
}

void headers_of_actors(void (*each)(void *arg, const struct header *h), void *arg)
{
	struct header h;

	for (const struct carried *c = headers_carried; c->name; c++)
		if (!strcmp(c->name, "actor.h") || !carried_own(c->name))
			each(arg, &(struct header){ c->name, "", c->text, c->len });
	for (size_t i = 0; headers_kept(i, &h); i++)
		each(arg, &h);
}
