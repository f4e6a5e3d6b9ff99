/* SPDX-License-Identifier: MIT
 * headers.h - what a source may include, from memory.
 *
 * compile.c holds its lock around all of these. */
#ifndef HEADERS_H
#define HEADERS_H

#include "base.h"

/* What libtcc finds, from headers_enter() to headers_leave(): the first file that it opens is the
 * text, others are looked up among the headers that the runtime carries and, where folder is not
 * NULL, in that folder; all else is not there. What a folder gives is kept: later sources may
 * include it too. Borrowed. */
struct serve {
	const char *text; size_t len;
	const char *folder;
	void (*at_end)(void);   /* all of the text is read, there may be more now; NULL: no */
	bool goes_on;           /* the first file is open already */
};
void headers_enter(const struct serve *s);
void headers_leave(void);
/* Is actor.h the first that a source includes, but for the runtime's other headers? */
bool headers_begin(const char *text, size_t len);
/* Appends "actor.h, ctype.h, ...": what can be included now. */
void headers_list(struct buf *out);
/* The source of the shipped actor of that file name, without `.c`, or NULL. Any thread. */
const char *headers_shipped(const char *name, size_t *len);

/* What folders gave, in its order: the i-th, borrowed, or false; and the same elsewhere. Copies. */
struct header { const char *name, *folder, *text; size_t len; };
bool headers_kept(size_t i, struct header *out);
void headers_keep(const struct header *h);
/* Keeps what a source from a folder includes of it, and what that includes. */
void headers_gather(const char *folder, const char *text, size_t len);

/* actor.h, those of the actors shipped, and what folders gave. */
void headers_of_actors(void (*each)(void *arg, const struct header *h), void *arg);

#endif
