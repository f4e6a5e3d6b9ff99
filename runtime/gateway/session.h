/* SPDX-License-Identifier: MIT
 * session.h - a client: its login, its calls, what comes back. All on the gateway's thread but
 * where it says otherwise; one set of sessions a process. */
#ifndef SESSION_H
#define SESSION_H

#include "core.h"
#include "ports.h"

struct session;

/* Before the first session. Negative with why. */
int session_setup(struct home *home, const struct frames_port *port, struct why *why);
/* conn: what the port knows it by. NULL: no room for another actor. */
struct session *session_new(void *conn);
/* One whole message of the client. Borrows the bytes. */
void session_frame(struct session *s, const void *bytes, size_t len);
/* Enough is under way for this client: it should not be read until that has become less. */
bool session_busy(const struct session *s);
void session_gone(struct session *s);   /* the connection is closed; frees */
/* After each turn of the home: what found a mailbox full tries again. */
void session_retry(void);

void session_quiet(void);               /* any thread: no new calls from now on */
struct session_info { uint64_t calls, answers, refused; unsigned waiting; };
void session_info(struct session_info *out);    /* any thread */

#endif
