/* SPDX-License-Identifier: MIT
 * due.h - the calls of one client whose answers are to come, by the numbers of their asks. */
#ifndef DUE_H
#define DUE_H

#include "envelope.h"

struct due_call;
/* Zero-initialised is empty. */
struct due { struct due_call **bucket; uint32_t count, size; };

/* Copies cb and id of e. */
void due_add(struct due *d, const struct envelope *e, int64_t ask);
struct due_call *due_take(struct due *d, int64_t ask);  /* gives, to due_free(); NULL: unknown */
void due_free(struct due_call *c);
/* What envelope_answer() wants to know. Borrows from c. */
struct envelope due_request(const struct due_call *c);
void due_fini(struct due *d);

#endif
