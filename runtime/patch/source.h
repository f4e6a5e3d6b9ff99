/* SPDX-License-Identifier: MIT
 * source.h - a C source as text, and what is said of it. */
#ifndef SOURCE_H
#define SOURCE_H

#include "base.h"

enum { SOURCE_MAX = 1 << 20 };          /* bytes */

struct source {
	const char *text; size_t len;
	const char *file;       /* what the diagnostics call it */
	const char *folder;     /* searched for headers too; NULL: none */
	const char *own;        /* a symbol wanted besides patch, patches and process; NULL: none */
	const char *function;   /* a function wanted, static or not; NULL: none */
};

/* Appends `file:line: error: text`; line 0: none. Returns ACTOR_EARGS. */
int  diagnose(struct buf *said, const char *file, int line, const char *fmt, ...) PRINTF(4, 5);
/* Too long, empty, no text, or without the function that it is to have: true, with a diagnostic. */
bool source_refused(const struct source *s, struct buf *said);
/* Where a word first stands in a source, not as part of a longer one; 0: nowhere. */
int  source_line(const struct source *s, const char *word, size_t len);
bool c_identifier(const char *s);
bool c_word(char c);                    /* may be part of one */
/* Bytes of what is no code at p, before end: a comment, a string, a character. 0: it is code. One
 * that does not end goes as far as it can. */
size_t c_no_code(const char *p, const char *end);

#endif
