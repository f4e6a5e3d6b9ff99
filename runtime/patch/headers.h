/* SPDX-License-Identifier: MIT
 * headers.h - what a source may include, from memory.
 *
 * compile.c holds its lock around all of these. */
#ifndef HEADERS_H
#define HEADERS_H

#include "base.h"

/* From here to headers_leave(), files that libtcc opens are looked up among the
 * headers that the runtime carries and, where folder is not NULL, in that folder; all else is not
 * there. What a folder gives is kept: later sources may include it too. Borrows folder. */
void headers_enter(const char *folder);
void headers_leave(void);
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
