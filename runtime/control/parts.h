/* SPDX-License-Identifier: MIT
 * parts.h - this node's part of traces, for who draws them: this node itself, or another. */
#ifndef PARTS_H
#define PARTS_H

#include "core.h"
#include "rows.h"

struct parts;
struct parts *parts_new(const char *node);      /* borrows, all its life */
void parts_free(struct parts *p);
/* Appends a map for each thing that happened in the trace since that asker asked last (the first
 * time: all that is known). How many came and went unseen. All on one thread. */
uint64_t parts_read(struct parts *p, const char *asker, uint64_t id, struct rows *out);
bool parts_look(struct parts *p);       /* forgets who asks no more; true: some are left */

#endif
