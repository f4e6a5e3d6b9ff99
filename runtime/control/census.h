/* SPDX-License-Identifier: MIT
 * census.h - how many actors there are of each type, what waits for them, and the memory that they
 * take. One thread; filled cell by cell (walk.h). */
#ifndef CENSUS_H
#define CENSUS_H

#include "core.h"
#include "rows.h"

struct census_type {
	struct type *of;                /* the first of its name, as migrations bring others */
	uint64_t actors, waiting, mailbox_bytes, state_bytes;
};

struct census {
	struct census_type *type;
	size_t types, last;             /* last: whose turn it was */
	/* The fullest mailboxes, the fullest first: `most` of those whose type has filter in its
	 * name, without the runtime's own unless native. */
	struct cell_info *full;
	size_t n, most;
	const char *filter;
	bool native;
	actor_id self;                  /* one of its messages is the question itself; or 0 */
};

void census_init(struct census *c, size_t most, const char *filter);    /* borrows filter */

void census_cell(void *census, const struct cell_info *cell);    /* for core_cells() */
void census_fini(struct census *c);

const struct census_type *census_of(const struct census *c, const char *type);  /* or NULL */
/* With what its actors have allocated. */
uint64_t census_bytes(const struct census_type *t);
struct census_type census_all(const struct census *c);  /* of NULL */
/* Appends a list of maps: the types that take most. */
void census_rows(const struct census *c, size_t most, struct buf *out);

#endif
