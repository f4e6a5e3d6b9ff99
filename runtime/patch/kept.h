/* SPDX-License-Identifier: MIT
 * kept.h - a patch's source with all that goes with it, as it came and as the journal keeps it. */
#ifndef KEPT_H
#define KEPT_H

#include "journal.h"

/* What a patch is made of. Borrowed. */
struct patch_source {
	const char *text; size_t len;
	const char *file, *author, *note, *origin;
	const char *topic, *handler, *function;         /* of an eval; else NULL */
	const char *probation;          /* its terms, see watched.h; NULL: none */
};

/* A patch as the journal has it. */
struct patch_kept {
	struct patch_source source;
	bool migrates;
	struct packed on;               /* list of maps: type, build, on: list of [handler, was] */
	struct buf own;
};
journal_fn kept_take;           /* arg: a patch_kept, zeroed; of its line `intent` */
void       kept_free(struct patch_kept *k);

#endif
