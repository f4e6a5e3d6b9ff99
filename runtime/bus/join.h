/* SPDX-License-Identifier: MIT
 * join.h - how an inbox is opened, and what is known of it then. The loop's thread. */
#ifndef JOIN_H
#define JOIN_H

#include "acks.h"
#include "wire.h"

struct join {
	const char *key, *seen, *suspect, *life;        /* as inbox.c has them; borrowed */
	bool again;                     /* this life has opened it before */
};

struct joined {
	struct id last;                 /* entry that was ever there */
	int64_t redis_ms;               /* Redis's clock */
	/* The lives before did not get through what they found, but through this: so many parts
	 * of that entry, and all before it. */
	bool suspect;
	struct id done; unsigned done_nth;
};

/* fn gets the reply, for join_read(). */
void join_ask(const struct redis_port *port, redis_fn *fn, void *arg, const struct join *j);
/* senders, where not NULL, get what Redis has of them. False: that is no such reply. */
bool join_read(const struct redis_reply *r, struct joined *out, struct senders *senders);

#endif
