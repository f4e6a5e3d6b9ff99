/* SPDX-License-Identifier: MIT
 * kept.h - values by key, and by how they are kept: of one session, or of one user. Whoever has the
 * list has a lock for it. */
#ifndef KEPT_H
#define KEPT_H

#include "actor.h"
#include "value.h"

enum { KEEP_MOST = 256 };               /* of a list */

struct kept {
	struct kept *next;
	enum client_keep keep;
	bool dirty, gone;               /* to be saved; is not there any more */
	unsigned unwritten;             /* KEEP_SHARED: changes that Redis has not answered */
	int day;                        /* KEEP_TODAY: of which it is, 20060102 */
	struct buf value;               /* packed */
	char key[];
};

struct kept_list { struct kept *first; unsigned count; };

struct kept *kept_find(const struct kept_list *l, enum client_keep keep, const char *key);
/* As it is, or a new one that is gone so far; NULL: there are KEEP_MOST. */
struct kept *kept_make(struct kept_list *l, enum client_keep keep, const char *key);
/* Frees what is gone and not on its way; saved: also what the disk had until just now. */
void kept_drop_gone(struct kept_list *l, bool saved);
void kept_drop_all(struct kept_list *l);

bool kept_is_there(const struct kept *k);       /* k may be NULL */
bool kept_is_on_disk(const struct kept *k);
/* Where the new value is to go, packed. */
struct buf *kept_rewrite(struct kept *k);
void kept_write(struct kept *k, struct packed value);
struct value kept_read(const struct kept *k);   /* borrows of k */
/* False: what is there is no int, or the sum goes beyond 64 bits. */
bool kept_add(struct kept *k, int64_t by, int64_t *total);

#endif
