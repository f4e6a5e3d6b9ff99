/* SPDX-License-Identifier: MIT
 * where.h - where the Redis of a URL is just now: an address, a name's addresses, a socket, or
 * what Sentinels name. The loop's thread. */
#ifndef WHERE_H
#define WHERE_H

#include "resolve.h"
#include "url.h"

struct where;
/* found: once after each where_ask(): the addresses and port, or error. moved: what was found is
 * the master no more. */
struct where_events {
	void (*found)(void *arg, const struct addresses *a, int port, const char *error);
	void (*moved)(void *arg, const char *reason);
};
/* Borrows u. */
struct where *where_new(struct loop *l, const struct url *u, const struct where_events *e,
                        void *arg);
void where_free(struct where *w);
void where_ask(struct where *w);
const char *where_host(const struct where *w);  /* whose addresses those are that were found last */

#endif
