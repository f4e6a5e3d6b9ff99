/* SPDX-License-Identifier: MIT
 * url.h - where a Redis is, in one line, and back. */
#ifndef URL_H
#define URL_H

#include "base.h"

enum { REDIS_PORT = 6379 };

struct url {
	char host[256]; int port;       /* host "": the socket at path */
	char path[108];
	char user[128], password[512];  /* "": none */
	int db;
};

/* Reads redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=N];
 * user, password and path are percent-decoded. 0, or ACTOR_EARGS with why, which never repeats
 * the password. */
int url_parse(struct url *u, const char *text, struct why *why);
/* Appends it in a form that url_parse() reads; without the password unless secret, for logs. */
void url_write(const struct url *u, bool secret, struct buf *out);

#endif
