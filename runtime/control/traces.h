/* SPDX-License-Identifier: MIT
 * traces.h - traces under way, for who looks at them from outside. */
#ifndef TRACES_H
#define TRACES_H

#include "parts.h"

struct traces;
struct traces *traces_new(struct parts *parts);        /* borrows */
void traces_free(struct traces *t);

struct traces_query {
	const char *name;       /* an actor's, or a type's; "*": all but the runtime's own */
	const char *handler;    /* "": any */
	const char *arg;        /* "by=5", "2=text"; "": any */
	const char *from;       /* the sender's name, or its type's; "": any */
	const char *client;     /* a user, or the number of a session; "": any */
	const char *id;         /* nothing but the trace that has it already; "": what begins */
	int64_t every, most, ms;
};
/* Begins one: its number, or an error with why. All on one thread. */
int64_t traces_begin(struct traces *t, const struct traces_query *q, struct why *why);
/* What has happened here since the last time. ACTOR_ENOENT with why: no such trace (any more). */
enum { TRACE_IDS_MOST = TRACES_MET_MOST + 1 };
struct traces_news {
	bool open;                      /* more may begin */
	struct rows events;             /* the caller's to close */
	uint64_t missed;
	uint64_t id[TRACE_IDS_MOST]; int ids;   /* what it is about: other nodes may know more */
};
int traces_read(struct traces *t, int64_t number, struct traces_news *out, struct why *why);
int traces_end(struct traces *t, int64_t number, struct why *why);
/* Ends those whose time is long over or that nobody reads any more. True: there are some left. */
bool traces_look(struct traces *t);

#endif
