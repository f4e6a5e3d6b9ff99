/* SPDX-License-Identifier: MIT
 * due.h - the calls of one client whose answers are to come, by the numbers of their asks. */
#ifndef DUE_H
#define DUE_H

#include "envelope.h"

struct due_call;
/* Zero-initialised are empty. Records to be used again are one thread's. */
struct due { struct due_call **bucket; uint32_t count, size; };
struct due_spare { struct due_call *first; unsigned count; };

/* Copies cb and id of e. */
void due_add(struct due *d, struct due_spare *spare, const struct envelope *e, int64_t ask);
struct due_call *due_take(struct due *d, int64_t ask);  /* gives, to due_free(); NULL: unknown */
void due_free(struct due_call *c, struct due_spare *spare);
/* What envelope_answer() wants to know. Borrows from c. */
struct envelope due_request(const struct due_call *c);
void due_fini(struct due *d, struct due_spare *spare);
void due_spare_fini(struct due_spare *spare);

#endif
