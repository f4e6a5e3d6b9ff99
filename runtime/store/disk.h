/* SPDX-License-Identifier: MIT
 * disk.h - keys and values on the disk, in their order; a value may have an end, and is then over.
 * One thread's. */
#ifndef DISK_H
#define DISK_H

#include "value.h"

enum { DISK_KEY_MOST = 511 - 8 };       /* of LMDB's 511, as a term has a date before it */

/* Makes the files of `state`/store or takes them as they are; at most so many bytes, 0: 16 GiB.
 * ACTOR_EFAIL with why. */
int  disk_open(const char *state, size_t most, struct why *why);
void disk_close(void);                  /* drops a change; also where it was never opened */
const char *disk_words(int error);      /* an error of those below, for people */

/* One change at a time, of any number of keys, of which all is done or nothing. Its first error
 * stays: what is put or dropped after it does nothing, and disk_commit() returns it. */
int  disk_begin(void);                  /* an error: there is none, or 0 */
bool disk_changes(void);                /* one has begun */
int  disk_commit(void);                 /* 0: it is on the disk; an error: nothing was done */
/* ends_ms: UTC; 0: it never does. The key has 1 to DISK_KEY_MOST bytes. */
void disk_put(const void *key, size_t len, const void *packed, size_t size, int64_t ends_ms);
bool disk_drop(const void *key, size_t len);    /* whether it was there */
/* Drops at most so many of those that are over, the oldest first. */
void disk_sweep(unsigned most);

/* What is read between these, or in a change, which it sees, may be used until the end, or until
 * something is put or dropped. */
void disk_read_begin(void);
int  disk_unread(void);         /* 0, or an error: what is there since the begin was not all read */
void disk_read_end(void);
/* False: not there, or over, or not read. *ends_ms as at disk_put(); may be NULL. */
bool disk_find(const void *key, size_t len, struct packed *value, int64_t *ends_ms);
/* All whose keys begin with these len bytes, from `after` on where that is greater, in order, until
 * each() says false. */
typedef bool disk_each_fn(void *arg, const char *key, size_t len, struct packed value);
void disk_each(const char *prefix, size_t len, const char *after, disk_each_fn *each, void *arg);

#endif
