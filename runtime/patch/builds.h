/* SPDX-License-Identifier: MIT
 * builds.h - of which build a type is, so that a patch made for another is not laid over it. */
#ifndef BUILDS_H
#define BUILDS_H

#include "core.h"
#include "seal.h"

/* What the type was made from, and what its state looks like (layout.h; NULL: that is not known).
 * Before any patch touches it. Copies. */
void builds_note(struct type *type, const void *made_from, size_t len, const char *layout);
/* The digest of that; of a type of which it is not known, of its handlers and the size of its
 * state. Any thread. */
void builds_of(struct type *type, char hex[SEAL_DIGEST_HEX]);
/* NULL: only its size is known. Borrowed for ever. */
const char *builds_layout(struct type *type);
/* next follows type: of the same build, with that layout. */
void builds_moved(struct type *next, struct type *type, const char *layout);

#endif
