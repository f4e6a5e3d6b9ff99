/* SPDX-License-Identifier: MIT
 * tls_none.c - tls.h where hiredis is older than 1.0 and has no place for TLS: refused with words
 * before anything connects. */
#include "tls.h"

struct tls *tls_new(const struct url *u, struct why *why)
{
	(void)u;
	why_set(why, ACTOR_EARGS, "a Redis URL that begins with rediss is TLS, which needs hiredis "
	        "1.0 or newer (Debian 13 has it) and is not in this build: reach Redis through a "
	        "TLS proxy, by redis://, unix://, sentinel:// or cluster://");
	return NULL;
}

void tls_free(struct tls *t)
{
	(void)t;        /* there is none */
}

int tls_begin(const struct tls *t, const char *host, struct redisContext *c,
              struct ssl_st **session, struct why *why)
{
	(void)t, (void)host, (void)c, (void)session;
	return why_set(why, ACTOR_EFAIL, "this build has no TLS");
}

bool tls_trouble(struct ssl_st *session, struct why *why)
{
	(void)session, (void)why;
	return false;
}
