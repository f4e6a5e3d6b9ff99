/* SPDX-License-Identifier: MIT
 * session.h - a client: its login, its calls, what comes back. All on the thread that the session
 * lives on, but where it says otherwise. */
#ifndef SESSION_H
#define SESSION_H

#include "visit.h"

/* Before the first of them, once a process. Negative with why. */
int session_setup(const struct session_config *c, struct why *why);
/* Those that live at this home; keeper_new() is to follow. Any thread, before the first session. */
struct sessions *sessions_new(struct home *home);
void sessions_free(struct sessions *here);      /* after home_free(); NULL is fine */
/* conn: what the port knows it by. passing: it is of one call, and is not there as its user is by
 * a WebSocket: not among the users, and no second login. NULL: no room for another actor. */
struct session *session_new(struct sessions *here, void *conn, bool passing);
/* One whole message of the client. Borrows the bytes. */
void session_frame(struct session *s, const void *bytes, size_t len);
/* Enough is under way for this client: it should not be read until that has become less. */
bool session_busy(const struct session *s);
bool session_in(const struct session *s);       /* its login was taken */
bool session_asking(const struct session *s);   /* its login is under way */
void session_gone(struct session *s);   /* the connection is closed; frees */
/* After each turn of the home: what found a mailbox full tries again. */
void sessions_retry(struct sessions *here);
/* The same for each, whoever it waits for. True: there are some left. */
bool sessions_retry_all(struct sessions *here);

/* By what msg_from() gave; NULL: it is gone, lives elsewhere, or is no client. */
struct session *session_find(const struct sessions *here, actor_ref ref);
bool session_is(actor_ref ref);         /* it is a client, wherever it lives; any thread */
/* A message to many: begun with the first three, it is encoded when the first of each encoding is
 * told. Those who are not logged in are not. */
struct news {
	const msg *m; int first; struct text func;
	struct buf frame[2];            /* by encoding */
	unsigned told;
};
void session_tell(struct session *s, struct news *n);
void news_fini(struct news *n);

void session_quiet(void);               /* any thread, for all of them: no new calls from now on */
struct session_info {
	uint64_t calls, answers, refused;
	uint64_t pushed, encoded;       /* told to clients, and how often that had to be encoded */
	unsigned waiting;
};
void sessions_count(const struct sessions *here, struct session_info *add);    /* any thread */

#endif
