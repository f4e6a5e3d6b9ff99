/* SPDX-License-Identifier: MIT
 * layout.h - what a source believes an actor's state to look like: read from its own compile, field
 * by field. No state; any thread. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "base.h"

/* One belief: of a table, `.state = sizeof(T)`, or of a use, `T *s = actor_state(self)`. */
struct view {
	char *name;             /* of the table, its .name; of a use NULL */
	char *text;             /* a line a field; NULL: the type is not complete */
	size_t size;
};
struct views {
	struct view *view; int n;
	bool blind;             /* the state is used in a way that does not tell its type */
};

/* Finds them in a source, and appends to more what makes libtcc tell of their types. */
void views_find(struct views *v, const char *source, size_t len, struct buf *more);
/* Reads their layouts from libtcc's debugging sections. */
void views_read(struct views *v, const void *stab, size_t stab_len, const char *str,
                size_t str_len);
void views_fini(struct views *v);
const struct view *views_of(const struct views *v, const char *name);   /* NULL: none */

/* "hits, best, ...": its fields, without what is inside of them. */
void layout_names(const char *layout, struct buf *out);
/* "hits: was int at byte 0, is int at byte 8; ..." */
void layout_difference(const char *was, const char *is, struct buf *out);

#endif
