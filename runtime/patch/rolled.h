/* SPDX-License-Identifier: MIT
 * rolled.h - what came by rollouts (bus/rollout.h): a patch that was sent to a group of nodes once,
 * and reaches each of them at least once. The compile thread, and the start. */
#ifndef ROLLED_H
#define ROLLED_H

#include "exported.h"
#include "journal.h"

enum { ROLLOUT_ID = 44 };       /* bytes of one: an entry's id in Redis, and a NUL */

/* The journal has patch `number` as this rollout; id NULL: it came otherwise. */
void rolled_note(const char *id, uint32_t number);
void rolled_forget(void);
/* The patch that it became here; 0: none yet. */
uint32_t rolled_find(const char *id);
/* Is the source all of `//revert ID`, which takes back what that rollout brought? */
bool rolled_reverts(const char *source, size_t len, char id[ROLLOUT_ID]);

/* Appends a line for each type that the patch changes, with the digest of its build. */
void rolled_builds(const struct exported *e, struct buf *out);
/* Are the types here of the builds that it was made for (NULL, "": for any)? 0, or ACTOR_EARGS with
 * why. */
int  rolled_same(const char *builds, const struct exported *e, struct why *why);

#endif
