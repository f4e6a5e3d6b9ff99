/* SPDX-License-Identifier: MIT
 * lines.h - the log of the last while, for who looks at it from outside. */
#ifndef LINES_H
#define LINES_H

#include "value.h"

struct lines_query {
	/* the number an answer before gave; below 0: the last `most` of all */
	int64_t after;
	const char *name;       /* an actor's or a room's; "": all */
	const char *level;      /* this and above: debug, info, warn, error */
	int64_t most;
};
/* Appends a map: `next`, to ask after; `missed`, how many were gone already; `lines`. 0, or
 * ACTOR_EARGS with why. */
int lines_answer(const struct lines_query *q, struct buf *out, struct why *why);

/* Gives the actors of a type a level. 0, ACTOR_EARGS or ACTOR_ENOMEM with why. */
int lines_level(const char *type, const char *level, struct why *why);
/* Appends a list of maps: the types that were given one, and how much it has left out. */
void lines_levels(struct buf *out);

#endif
