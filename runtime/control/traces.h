/* SPDX-License-Identifier: MIT
 * traces.h - traces under way, for who looks at them from outside. */
#ifndef TRACES_H
#define TRACES_H

#include "core.h"

struct traces;
struct traces *traces_new(void);
void traces_free(struct traces *t);

struct traces_query {
	const char *name;       /* an actor's, or a type's; "*": all but the runtime's own */
	const char *handler;    /* "": any */
	const char *arg;        /* "by=5", "2=text"; "": any */
	const char *from;       /* the sender's name, or its type's; "": any */
	int64_t every, most, ms;
};
/* Begins one: its number, or an error with why. All on one thread. */
int64_t traces_begin(struct traces *t, const struct traces_query *q, struct why *why);
/* Appends a map: what has happened since the last time, and whether more may begin (`open`).
 * ACTOR_ENOENT with why: no such trace (any more). */
int traces_read(struct traces *t, int64_t number, struct buf *out, struct why *why);
int traces_end(struct traces *t, int64_t number, struct why *why);
/* Ends those whose time is long over or that nobody reads any more. True: there are some left. */
bool traces_look(struct traces *t);

#endif
