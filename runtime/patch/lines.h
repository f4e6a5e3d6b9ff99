/* SPDX-License-Identifier: MIT
 * lines.h - which line of its source a place in compiled code is. */
#ifndef LINES_H
#define LINES_H

#include "base.h"

struct lines;

/* From libtcc's stabs, relocated to `at`. Gives; NULL where there are none. */
struct lines *lines_read(const void *stab, size_t size, const char *str, size_t str_size,
			 const void *at);
void lines_free(struct lines *l);               /* NULL is fine */
/* Adds "fix.c:12 in hit()"; false: nothing is known of it. */
bool lines_where(const struct lines *l, size_t offset, struct buf *out);

#endif
