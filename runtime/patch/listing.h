/* SPDX-License-Identifier: MIT
 * listing.h - what is told of patches, packed for an answer. Reads the journal: the compile
 * thread. */
#ifndef LISTING_H
#define LISTING_H

#include "history.h"

/* All patches, the newest 10,000; one, with its source; the newest 1,000 lines of the journal. */
int listing_all(struct buf *out, struct why *why);
int listing_one(uint32_t number, struct buf *out, struct why *why);
/* Why the patch was last found wanting, as the journal says; appended, or nothing. */
void listing_reason(uint32_t number, struct buf *out);
int listing_log(struct buf *out, struct why *why);

#endif
