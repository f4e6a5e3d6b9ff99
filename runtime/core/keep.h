/* SPDX-License-Identifier: MIT
 * keep.h - what clients' sessions and their users keep: actor.h's client_*() read and write it in
 * memory; who brings it from the disk and from Redis, and takes it there, uses these. */
#ifndef KEEP_H
#define KEEP_H

#include "core.h"

enum { KEEP_KEY_MOST = 128, KEEP_VALUE_MOST = 65536 };
/* Bytes that wait for the disk, also of users who have left: with so many nothing more is set that
 * goes there (but what is taken back of a patch). */
enum { KEEP_WAITING_MOST = 64 << 20 };

/* A session, logged in as user, from here to there. True: what the user keeps is not loaded yet, so
 * the store and Redis are to be asked. Any thread, as are all here. */
bool keep_open(actor_ref session, const char *user);
void keep_loaded(const char *user);
/* The store did not say what the user has on the disk: none of that is written until it does (by
 * the next session's login), so that it is not lost. False: it did. */
void keep_unread(const char *user, bool unread);
void keep_close(actor_ref session);
/* Stands for a user that is on another node: its name is known, until keep_close(), and nothing
 * that it keeps. */
void keep_guest(actor_ref who, const char *user);

/* From the store: a key as keep_changes() gave it. What was set here meanwhile stays. */
void keep_found(const char *user, const char *key, size_t len, struct packed value);
/* From Redis: text is JSON, or, as others may write there, just a text; NULL: there is none.
 * Nothing where the user is not here, or has set it itself: keep_written() is still to come. */
void keep_shared(const char *user, const char *key, const char *text, size_t len);
/* All of it: fields are so many keys and texts in turn; what is not among them is gone. */
void keep_shared_all(const char *user, struct packed fields, size_t count);
bool keep_is_here(const char *user);
/* All that it shares is to be read from Redis; or is now asked for. True: that is new, and it is
 * here. */
bool keep_stale(const char *user, bool stale);
/* Appends those of all users here, each with its NUL; all are stale. */
void keep_names(struct buf *out);
/* Redis has, or has refused, what was set; total: what it says the sum is now; NULL: nothing. */
void keep_written(const char *user, const char *key, const int64_t *total);

/* What is shared cannot be set for so many ms, as refused in these words; 0: until this is called
 * with NULL, whatever else is said meanwhile; NULL: it can. */
void keep_shut(const char *reason, int ms);

/* To the store: each thing that was set since the last time; value.at NULL: it is gone. */
void keep_changes(const char *user, void (*each)(void *arg, const char *key, struct packed value),
		  void *arg);
/* It is on the disk; or could not be written: all of it, once more. True: there is something, also
 * what was set meanwhile; whoever sets more now tells nobody. */
bool keep_saved(const char *user, bool saved);
unsigned keep_users(void);              /* in memory now */

/* For client.c. What is to be done once no lock is held. */
struct keep_task { bool save, tell; char user[NAME_MAX_LEN + 1]; };
/* value.at NULL: it goes. ACTOR_ENOENT: no such session; ACTOR_ENOMEM: it keeps too much;
 * ACTOR_ETIME: keep_unread(). */
int keep_write(actor_ref who, enum client_keep keep, const char *key, struct packed value,
	       struct keep_task *t);
/* ACTOR_EARGS: what is there is no int, or would go beyond 64 bits. */
int keep_add(actor_ref who, enum client_keep keep, const char *key, int64_t by, int64_t *sum,
	     struct keep_task *t);
void keep_not_queued(const char *user); /* the store could not be told */
/* Its head; of a str what fits into out. VALUE_NULL: not there. */
struct value keep_look(actor_ref who, enum client_keep keep, const char *key, char *out,
		       size_t size);
size_t keep_user(actor_ref who, char *out, size_t size);

#endif
