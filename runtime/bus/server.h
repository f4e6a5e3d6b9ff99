/* SPDX-License-Identifier: MIT
 * server.h - the embedded Redis: a private redis-server as a child that dies with this process. */
#ifndef SERVER_H
#define SERVER_H

#include "loop.h"

struct server_config {
	const char *state;      /* folder: its data and its password (mode 0600) live here */
	const char *bind;               /* "127.0.0.1" */
	int port;
	bool port_asked;        /* asked for and taken: an error; else a free one is taken */
	int db;
	const char *password;   /* NULL: the one kept under state, made at the first start */
};
struct server;
bool server_installed(void);            /* is there a redis-server on PATH? */
/* Main thread, before any other (the child dies with the thread that forked it); who else uses
 * this state was ruled out before, as a redis-server that is found there is ended. Returns when
 * it answers PING. */
struct server *server_start(const struct server_config *c, struct why *why);
const char *server_url(const struct server *s);         /* redis://:PASSWORD@127.0.0.1:PORT/DB */
const char *server_socket(const struct server *s);      /* its path; "": it has none */
/* From now on it is started again when it dies, with a backoff. */
void server_watch(struct server *s, struct loop *l);
/* When the loop runs no more, before loop_free(): saves, ends it, frees. */
void server_stop(struct server *s);

#endif
