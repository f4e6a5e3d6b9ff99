/* SPDX-License-Identifier: MIT
 * topic.h - the actors that are reached over Redis: a name each, and the messages that wait for
 * one. */
#ifndef TOPIC_H
#define TOPIC_H

#include "core.h"

enum { HELD_MOST = 4096, HELD_BYTES_MOST = 32 << 20 };  /* of one topic */

struct delivery;        /* what a stream wants to hear of it; NULL: it came otherwise */
struct held_as { bool channel, again; struct delivery *delivery; };
struct held { struct held *next; size_t len; struct held_as as; char bytes[]; };

struct topic {
	char *name;
	size_t len;
	actor_ref ref;
	bool hosted;            /* the actor is here now */
	bool seen;              /* by the look that goes on */
	bool shunned;           /* its key holds something that is no list */
	int64_t barrier;        /* the ask whose answer the held ones wait for; 0: none */
	int64_t until_ms;       /* then they wait no longer, or are tried again */
	struct held *first, **last;     /* in the order in which they came */
	unsigned held;
	size_t held_bytes;
	struct topic *next_waiting;
	bool waiting;
	unsigned uses;                  /* of who else points at it, for longer than a call */
	struct shared *stream;          /* streams.h's; NULL: none is read */
	bool streamless;                /* the runtime has a stream of that name, or none can be */
	unsigned popped;                /* lists.h's: the pop that it was part of last */
	unsigned front;                 /* waited.h's: the pop that brought something; 0: none */
};

struct topics;
struct topics *topics_new(bool cluster);
void topics_free(struct topics *s);     /* and what is held, unanswered */
struct topic *topics_find(const struct topics *s, const char *name);    /* hosted, or NULL */
struct topic *topics_known(const struct topics *s, const char *name);   /* hosted lately, or NULL */
unsigned      topics_count(const struct topics *s);     /* known */
struct topic *topics_get(const struct topics *s, unsigned i);
/* Looks which actors are here now. changed: of a topic that came or went, after all of them are
 * marked. */
void topics_look(struct topics *s, void (*changed)(void *arg, struct topic *t), void *arg);
/* Forgets those that are not here, that nothing waits for, and that nobody points at; used: does
 * anybody else? How many are not here, but stay. Not from inside what has a topic in its hands. */
unsigned topics_sweep(struct topics *s, bool (*used)(void *arg, const struct topic *t), void *arg);

/* False: too many wait already. */
bool topic_hold(struct topic *t, const char *bytes, size_t len, const struct held_as *as);
void topic_let_go(struct topic *t);     /* frees the first one held */

#endif
