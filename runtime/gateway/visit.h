/* SPDX-License-Identifier: MIT
 * visit.h - the inside of a session, for session.c and login.c alone, and how sessions are set up.
 * The gateway's thread. */
#ifndef VISIT_H
#define VISIT_H

#include "core.h"
#include "due.h"
#include "ports.h"
#include "room.h"

enum same_user { SAME_BOTH, SAME_REPLACE, SAME_REFUSE };        /* who logs in again */
struct session_config {
	struct home *home;
	const struct frames_port *port;
	const char *login;              /* the actor that is asked: login(user:str proof:str) */
	enum same_user same_user;
};
/* Who is logged in, by name, and who is in which room: the members of each seat are sessions. */
extern struct rooms session_users, session_rooms;

enum { CLOSE_POLICY = 1008, CLOSE_MALFORMED = 1007 };

struct session {
	void *conn;
	actor_id id;
	enum encoding enc;              /* of its last message: what is pushed is encoded so */
	bool asking, in, closing;       /* asking: its login is not settled */
	bool passing;                   /* see session_new() */
	struct due due;                 /* calls whose answer is to come */
	struct held *held, **held_end;
	struct session *next, **link;   /* among those with a held frame that can be tried */
	char *user;                     /* who it says it is; once `in`, who it is */
	struct seat *seats;
};

/* NULL when the connection is closed: until the actor has ended, messages still arrive. */
static inline struct session *session_of(actor *self)
{
	return *(struct session **)actor_state(self);
}

void session_answer(struct session *s, const struct envelope *e, struct packed args, unsigned n);
void session_close(struct session *s, int code, const char *reason);    /* once */
/* A call whose answer is due, and found by its ask's number: gives, to mem_free(). */
void session_due(struct session *s, const struct envelope *e, int64_t ask);
struct due_call *session_due_take(struct session *s, int64_t ask);
/* What is held can be tried from now on; and is tried: true, nothing more can be done now. */
void session_held(struct session *s);
bool session_go_on(struct session *s);

#endif
