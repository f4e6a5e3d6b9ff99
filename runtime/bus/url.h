/* SPDX-License-Identifier: MIT
 * url.h - where a Redis is, in one line, and back. */
#ifndef URL_H
#define URL_H

#include "base.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

struct url {
	char host[256]; int port;       /* host "": the socket at path, or */
	char hosts[512], master[128];   /* Sentinels, "h:1,h:2", to be asked for this master; or,
	                                 * master "", nodes of a Cluster */
	char path[108];
	char user[128], password[512];  /* "": none */
	int db;
	/* of TLS: files, "" for the system's authorities, or for no certificate of our own; the
	 * name to ask for and to check in place of each host's */
	bool tls;
	enum { URL_VERIFY_FULL, URL_VERIFY_CA, URL_VERIFY_NONE } verify;
	char cacert[256], cert[256], key[256], sni[256];
};

/* Reads redis://[[user]:password@]host[:port][/db],
 * unix://[[user]:password@]/path[?db=N],
 * sentinel://[[user]:password@]host[:port],.../master[/db] (user and password are the master's) or
 * cluster://[[user]:password@]host[:port],...;
 * and for TLS to all of them rediss://, rediss-sentinel:// or rediss-cluster:// alike, with
 * ?cacert=FILE&cert=FILE&key=FILE&sni=NAME&verify=full|ca|none;
 * user, password, path and files are percent-decoded. 0, or ACTOR_EARGS with why, which never
 * repeats the password. */
int url_parse(struct url *u, const char *text, struct why *why);
/* Appends it in a form that url_parse() and other clients read, so without what only we know of
 * TLS; without the password unless secret, for logs. */
void url_write(const struct url *u, bool secret, struct buf *out);

static inline bool url_is_cluster(const struct url *u)
{
	return u->hosts[0] && !u->master[0];
}
/* Number i of hosts. False: there are fewer. */
bool url_host(const struct url *u, int i, char *host, size_t size, int *port);

#endif
