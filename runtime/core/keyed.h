/* SPDX-License-Identifier: MIT
 * keyed.h - values by key, and by how they are kept: of one session, or of one user. Whoever has
 * the list has a lock for it. */
#ifndef KEYED_H
#define KEYED_H

#include "actor.h"
#include "value.h"

enum { KEEP_MOST = 256 };               /* of each kind in a list */

struct keyed {
	struct keyed *next;
	enum client_keep keep;
	bool dirty, gone;               /* to be saved; is not there any more */
	unsigned unwritten;             /* KEEP_SHARED: changes that Redis has not answered */
	size_t waits;                   /* bytes of keyed_waiting() */
	int day;                        /* KEEP_TODAY: of which it is, 20060102 */
	struct buf value;               /* packed */
	char key[];
};

struct keyed_list { struct keyed *first; unsigned count[KEEP_TODAY + 1]; };

struct keyed *keyed_find(const struct keyed_list *l, enum client_keep keep, const char *key);
/* As it is, or a new one that is gone so far; NULL: there are KEEP_MOST of
 * that kind. */
struct keyed *keyed_make(struct keyed_list *l, enum client_keep keep, const char *key);
/* Frees what is gone and not on its way, or of a day that is over (the disk's goes by itself);
 * saved: also what the disk had until just now. */
void keyed_drop_gone(struct keyed_list *l, bool saved);
void keyed_drop_all(struct keyed_list *l);

bool keyed_is_today(int day);
bool keyed_is_there(const struct keyed *k);       /* k may be NULL */
bool keyed_is_on_disk(const struct keyed *k);
/* Appends what is to be saved, which is clean then: l or d and the key with its NUL, so many bytes
 * as a uint32_t says, and these: the value, of a day with its day; none: it is gone. Copied, so
 * that the disk is not waited for under a lock. */
void keyed_take_dirty(struct keyed_list *l, struct buf *out);
/* It waits for the disk, with the value that it has by now; or no more. */
void keyed_wait(struct keyed *k, bool waits);
size_t keyed_waiting(void);             /* bytes of all that do so; any thread, without a lock */
/* Where the new value is to go, packed. */
struct buf *keyed_rewrite(struct keyed *k);
void keyed_write(struct keyed *k, struct packed value);
void keyed_forget(struct keyed *k);     /* it is gone */
struct value keyed_read(const struct keyed *k);   /* borrows of k */
/* False: what is there is no int, or the sum goes beyond 64 bits. */
bool keyed_add(struct keyed *k, int64_t by, int64_t *total);

#endif
