/* SPDX-License-Identifier: MIT
 * ws.h - connections: HTTP and WebSocket on one port. */
#ifndef WS_H
#define WS_H

#include "http.h"
#include "limits.h"
#include "ports.h"

struct ws;
struct ws_config {
	int listener;                   /* takes, unless ws_new() fails */
	int descriptors;                /* how many this process may have */
	const char *cert, *key;         /* PEM files, for TLS; NULL: none */
	struct gateway_limits limits;
	struct http_config http;        /* but for space */
	bool (*turn)(void *arg);        /* runs what is ready in the sessions; true: more is */
	void *turn_arg;
};
struct ws_info {
	unsigned clients, unsent;       /* unsent: clients with bytes to come */
	uint64_t bytes;                 /* the library's without TLS, and what is buffered */
	uint64_t accepted;
	uint64_t turned_away;           /* no place, no descriptor */
	uint64_t limited;               /* over a rate */
	uint64_t late;                  /* no login, or no message, in time */
	uint64_t lost;                  /* pinged in vain */
	uint64_t overflown;             /* did not read: given up, or with frames dropped */
	uint64_t dropped;               /* those frames */
};

struct ws *ws_new(const struct ws_config *c, struct why *why);
void ws_run(struct ws *w);              /* the gateway's thread: until ws_end() */
void ws_wake(struct ws *w);             /* any thread: a turn soon */
void ws_quiet(struct ws *w);            /* any thread, as are the next two: no new connections */
void ws_leave(struct ws *w);            /* closes each with 1001; ws_run() ends with the last */
void ws_end(struct ws *w);              /* ws_run() returns */
void ws_info(const struct ws *w, struct ws_info *out);  /* any thread */
void ws_free(struct ws *w);             /* after ws_run(); nobody may wake it any more */

#endif
