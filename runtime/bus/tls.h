/* SPDX-License-Identifier: MIT
 * tls.h - TLS to a Redis, a Sentinel or a node of a Cluster, for rediss:// URLs and their kin. Any
 * thread, one at a time for each thing here.
 *
 * hiredis 1.0 and newer has a place for it (tls.c); with an older one tls_new() refuses, with
 * words (tls_none.c). */
#ifndef TLS_H
#define TLS_H

#include "../actor.h"
#include "url.h"

struct redisContext;
struct ssl_st;

struct tls;
/* Reads the URL's certificates and key. NULL with why, which names the file. */
struct tls *tls_new(const struct url *u, struct why *why);
void tls_free(struct tls *t);           /* what it has begun goes on */
/* The same for their reasons only, while somebody is there to read them. */
static inline int tls_check(const struct url *u, struct why *why)
{
	struct tls *t = u->tls ? tls_new(u, why) : NULL;

	tls_free(t);
	return u->tls && !t ? ACTOR_EARGS : 0;
}
/* From here on the connection c to host, which hiredis is making, is encrypted; the handshake is
 * made by what is written and read (where hiredis blocks: now). *session lives as long as c.
 * ACTOR_EFAIL with why. */
int  tls_begin(const struct tls *t, const char *host, struct redisContext *c,
               struct ssl_st **session, struct why *why);
/* Why a session was lost, as far as that was TLS; else false. Forgets it. */
bool tls_trouble(struct ssl_st *session, struct why *why);

#endif
