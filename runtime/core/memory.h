/* SPDX-License-Identifier: MIT
 * memory.h - blocks that an actor has allocated: found again when it ends, and counted by the patch
 * whose code asked for them.
 *
 * Threads: an actor's blocks are its owner's; the counts are anybody's, behind a lock. */
#ifndef MEMORY_H
#define MEMORY_H

#include "base.h"

struct memory;          /* of an actor; NULL: none so far */

/* Zeroed. version: the patch's number; 0: the actor's own code. NULL: over 64 MiB an actor, or
 * there is none. Counted is what a block costs, some 64 bytes more than it holds. total, what all
 * of a type have, is the first call's for good. */
void *memory_alloc(struct memory **m, _Atomic uint64_t *total, size_t size, uint32_t version);
/* Is it one that is held? Reads in front of it. */
bool  memory_is(const void *p);
void  memory_give_back(struct memory *m, void *p);
void  memory_drop(struct memory **m);           /* all of them */

#endif
