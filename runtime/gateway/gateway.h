/* SPDX-License-Identifier: MIT
 * gateway.h - clients over WebSocket and HTTP, on one thread or several of its own. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "limits.h"
#include "session.h"

enum { GATEWAY_THREADS_MOST = 16 };

struct gateway_config {
	const char *addr; int port;     /* port 0: a free one */
	int threads;                    /* 1 to GATEWAY_THREADS_MOST */
	const char *origins;            /* that may connect too, by commas; or NULL */
	const char *login;              /* the actor that says who may come in */
	const char *token_key;          /* a file; or NULL */
	enum same_user same_user;
	const char *cert, *key;         /* PEM files, for TLS; NULL: none */
	struct gateway_limits limits;
	const char *files, *token;      /* a folder that is served; what opens /debug/; or NULL */
	/* HTTP GET of path: appends a body, returns the status and says the content type; 0: not
	 * found. On the gateway's threads, on one at a time. */
	int (*http)(void *arg, const char *path, struct buf *body, const char **type);
	void *arg;
};
struct gateway_info {
	unsigned clients;
	uint64_t accepted, calls, answers, refused, pushed, encoded;
	uint64_t bytes;                 /* of memory: see ws.h */
	uint64_t turned_away, limited, late, lost, overflown, dropped;  /* see ws.h */
};

struct gateway;
/* Returns when it listens. NULL with why: "127.0.0.1:8080: address already in use; ...". */
struct gateway *gateway_new(const struct gateway_config *c, struct why *why);
void gateway_ready(void);               /* all actors have started: warns if nobody can log in */
const char *gateway_address(const struct gateway *g);   /* "127.0.0.1:8080", the real port */
void gateway_info(const struct gateway *g, struct gateway_info *out);   /* any thread */
void gateway_quiet(struct gateway *g);  /* any thread: no new connections; answers still go out */
bool gateway_idle(const struct gateway *g);     /* any thread: no answer is due, nothing unsent */
/* Any thread: closes clients with 1001; cut: and ends those that have not gone yet. */
void gateway_leave(struct gateway *g, bool cut);
bool gateway_left(const struct gateway *g);     /* any thread: all have, and were told of */
void gateway_stop(struct gateway *g);   /* ends the threads, and whoever is still there */
void gateway_free(struct gateway *g);   /* after core_stop */

#endif
