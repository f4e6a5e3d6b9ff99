/* SPDX-License-Identifier: MIT
 * session.h - a client: its login, its calls, what comes back. All on the gateway's thread but
 * where it says otherwise; one set of sessions a process. */
#ifndef SESSION_H
#define SESSION_H

#include "visit.h"

/* Before the first session. Negative with why. */
int session_setup(const struct session_config *c, struct why *why);
/* conn: what the port knows it by. passing: it is of one call, and is not there as its user is by
 * a WebSocket: not among the users, and no second login. NULL: no room for another actor. */
struct session *session_new(void *conn, bool passing);
/* One whole message of the client. Borrows the bytes. */
void session_frame(struct session *s, const void *bytes, size_t len);
/* Enough is under way for this client: it should not be read until that has become less. */
bool session_busy(const struct session *s);
bool session_in(const struct session *s);       /* its login was taken */
void session_gone(struct session *s);   /* the connection is closed; frees */
/* After each turn of the home: what found a mailbox full tries again. */
void session_retry(void);

/* By what msg_from() gave; NULL: it is gone, or no client. */
struct session *session_find(actor_ref ref);
/* A message to many: begun with the first three, it is encoded when the first of each encoding is
 * told. Those who are not logged in are not. */
struct news {
	const msg *m; int first; struct text func;
	struct buf frame[2];            /* by encoding */
	unsigned told;
};
void session_tell(struct session *s, struct news *n);
void news_fini(struct news *n);
/* Closed, as a policy wants it. */
void session_end(struct session *s, const char *reason);
struct seat **session_seats(struct session *s);

void session_quiet(void);               /* any thread: no new calls from now on */
struct session_info {
	uint64_t calls, answers, refused;
	uint64_t pushed, encoded;       /* told to clients, and how often that had to be encoded */
	unsigned waiting;
};
void session_info(struct session_info *out);    /* any thread */

#endif
