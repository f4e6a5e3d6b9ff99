/* SPDX-License-Identifier: MIT
 * linetable.h - which line of its source a place in compiled code is. */
#ifndef LINETABLE_H
#define LINETABLE_H

#include "base.h"

struct linetable;

/* From libtcc's stabs, relocated to `at`. Gives; NULL where there are none. */
struct linetable *linetable_read(const void *stab, size_t size, const char *str, size_t str_size,
                                 const void *at);
void linetable_free(struct linetable *l);       /* NULL is fine */
/* Adds "fix.c:12 in hit()"; false: nothing is known of it. */
bool linetable_where(const struct linetable *l, size_t offset, struct buf *out);

#endif
