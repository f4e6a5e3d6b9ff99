/* SPDX-License-Identifier: MIT
 * late.h - messages and questions whose actor's mailbox was full, kept in order until there is
 * room. The loop's thread. */
#ifndef LATE_H
#define LATE_H

#include "loop.h"

struct guest;
struct late_message {
	struct late_message *next;
	/* as is args: in bytes, behind it; NULL: it was handed on, and is to be followed yet */
	const char *what;
	struct packed args; unsigned count;
	/* of a question; 0: it is none, or how long it may wait (of now_ms()) is not known */
	uint64_t number; int64_t until_ms;
	void *owner, *peer;             /* the caller's */
	struct guest *guest;            /* who called it; held. NULL: it is not known */
	bool again;                     /* it may have been handled before */
	bool client;                    /* a client called it */
	bool leads;                     /* the one before it has another owner */
	size_t size;
};

struct late;
struct late_config {
	struct loop *loop;
	/* False: still no room. It may set what to NULL then. */
	bool (*hand_on)(void *arg, actor_ref to, struct late_message *m);
	void (*give_up)(void *arg, struct late_message *m);     /* it has waited too long */
	/* So much waits for that actor that the peer, whose message came, should send it nothing;
	 * or it may again. */
	void (*room)(void *arg, actor_ref to, void *peer, bool there);
	void *arg;
};
struct late *late_new(const struct late_config *c);
void   late_free(struct late *l);
bool   late_waits(const struct late *l, actor_ref to);  /* something waits for this actor */
/* Copies all of m. */
void   late_keep(struct late *l, actor_ref to, const struct late_message *m);
size_t late_bytes(const struct late *l);
unsigned late_count(const struct late *l);

#endif
