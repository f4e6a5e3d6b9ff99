/* SPDX-License-Identifier: MIT
 * compile.h - source text to code in memory, or every diagnostic. */
#ifndef COMPILE_H
#define COMPILE_H

#include "core.h"
#include "layout.h"
#include "linetable.h"
#include "source.h"

enum {
	PROGRAM_MAX = 64 << 20,         /* bytes of a source's code and data */
	COMPILE_STACK = 64 << 20,       /* of address space: nested code stops there */
};

/* Code that can run: [at, at + text) is read and executed, from there to at + size is data. */
struct program {
	char *at;
	size_t text, size;
	/* Where the source defines them, else NULL; not checked: whatever the source made them. */
	const void *patch, *patches, *process, *own, *function, *migrate, *migrate_back;
	struct views views;             /* what it believes of the states it uses */
	struct linetable *lines;        /* NULL: none are known */
};

/* A program made in another process, to run in this one: the bytes that belong at p.at, and what
 * libtcc wrote of types and lines. */
struct image {
	struct program p;               /* without views and lines */
	struct buf stab, str;
};
/* The child's, for image_make(): has all done now that comes before a source which begins with
 * actor.h, once; then has it back. */
void image_ready(void);
/* The child's: makes the pages for an image of that size at `at` now. */
void image_site(void *at, size_t size);
/* The child's: compiles what is to lie within room bytes at `at`, and leaves it there, mapped for
 * reading and writing. False with diagnostics. p.size 0: it passed, but cannot lie there. */
bool image_make(const struct source *s, void *at, size_t room, struct image *i, struct buf *said);
void image_drop(struct image *i);
/* The other's: its bytes are there. Gives, and takes the mapping; NULL: that is no program. */
struct program *image_take(const struct source *s, const struct image *i);
/* What sources may call, as the compiler here is to find it; ends with NULL. Borrows for ever. */
void compile_against(const struct export *symbols);
/* What that is here; addr NULL: not to be had. False: no more. */
bool compile_symbol(size_t i, struct export *out);

/* Any thread; one at a time. Gives. NULL with diagnostics appended to said, `file:line: text`, one
 * a line. */
struct program *program_compile(const struct source *s, struct buf *said);
/* Its program as core code, which frees it: with one hold. */
struct code *program_hold(struct program *p);
void program_free(struct program *p);           /* NULL is fine */

/* Is this readable data, aligned for pointers where it is large enough to hold one, or a function,
 * of the program itself? */
bool program_data(const struct program *p, const void *at, size_t size);
bool program_code(const struct program *p, const void *at);
/* A C string of the program, at most max bytes without its NUL. */
bool program_string(const struct program *p, const char *s, size_t max);

#endif
