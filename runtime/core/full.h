/* SPDX-License-Identifier: MIT
 * full.h - a mailbox that is full: what is done with what comes, as its type says. */
#ifndef FULL_H
#define FULL_H

#include "post.h"

/* m found a's mailbox full. Takes m: its sender is held, or it is a dead letter (0), or it is
 * refused (ACTOR_EFULL); pushed after all, where the type drops its oldest; ACTOR_ENOENT: a ended
 * meanwhile. */
COLD int full_push(struct worker *w, struct actor *a, struct msg *m);
/* The same, where what this handler sent to a before is kept back already. */
COLD int full_keep(struct worker *w, struct actor *a, struct msg *m);
/* Would a message of so many bytes of values find the mailbox full, and be refused or dropped
 * without anybody seeing it? Then that is done, with *rc, and it need not be made. asked: somebody
 * waits for an answer. */
bool full_spares(struct worker *w, struct actor *a, size_t size, bool asked, int *rc);
/* ACTOR_EFULL, in words. */
int full_why(struct actor *a, const char *who, struct why *why);

#endif
