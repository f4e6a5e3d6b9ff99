/* SPDX-License-Identifier: MIT
 * visit.h - the inside of a session, and of all that live on one thread, for those files alone that
 * make up a session; and how sessions are set up. Each on its own thread, where nothing else is
 * said. */
#ifndef VISIT_H
#define VISIT_H

#include "core.h"
#include "due.h"
#include "list.h"
#include "ports.h"
#include "room.h"

enum same_user { SAME_BOTH, SAME_REPLACE, SAME_REFUSE };        /* who logs in again */
struct session_config {
	const struct frames_port *port;
	const char *login;              /* the actor that is asked: login(user:str proof:str) */
	enum same_user same_user;
};
/* 4001 is of those that applications choose (RFC 6455, 7.4.2). */
enum {
	CLOSE_GOING = 1001, CLOSE_MALFORMED = 1007, CLOSE_POLICY = 1008, CLOSE_LATER = 1013,
	CLOSE_ELSEWHERE = 4001,
};

/* Those of one of the gateway's threads. */
struct sessions {
	struct home *home;
	const char *title;              /* of its home: an actor with this one lives here */
	actor_id keeper;                /* see keeper.h */
	bool keeping;                   /* it has a message to try again, or a timer, under way */
	struct session *full, **full_end;       /* those with a held frame, oldest first */
	struct link in;                 /* those who are logged in */
	struct rooms rooms;             /* who is in which: the members are sessions */
	struct buf scratch, values, frame;      /* of the message at hand */
	struct due_spare spare;
	_Atomic uint64_t calls, answers, refused, pushed, encoded;      /* others read these */
	_Atomic unsigned waiting;       /* calls and held frames */
};

struct session {
	struct sessions *here;          /* it and `id` never change */
	void *conn;
	actor_id id;
	enum encoding enc;              /* of its last message: what is pushed is encoded so */
	bool asking, in, closing;       /* asking: its login is not settled */
	bool passing;                   /* see session_new() */
	struct due due;                 /* calls whose answer is to come */
	struct held *held, **held_end;
	struct session *next, **link;   /* among those with a held frame that can be tried */
	char *user;                     /* who it says it is; once `in`, who it is */
	struct link all;                /* among those who are logged in */
	struct seat *seats;             /* in rooms */
	struct seat *named;             /* among the users; users.c's, under its lock */
};

/* NULL when the connection is closed: until the actor has ended, messages still arrive. */
static inline struct session *session_of(actor *self)
{
	return *(struct session **)actor_state(self);
}

void session_answer(struct session *s, const struct envelope *e, struct packed args, unsigned n);
void session_close(struct session *s, int code, const char *reason);    /* once */
/* A call whose answer is due, and found by its ask's number: gives, to session_due_free(). */
void session_due(struct session *s, const struct envelope *e, int64_t ask);
struct due_call *session_due_take(struct session *s, int64_t ask);
void session_due_free(struct session *s, struct due_call *d);
/* What is held can be tried from now on; and is tried: true, nothing more can be done now. */
void session_held(struct session *s);
bool session_go_on(struct session *s);

#endif
