/* SPDX-License-Identifier: MIT
 * ws.h - connections: HTTP and WebSocket on one port. */
#ifndef WS_H
#define WS_H

#include "http.h"
#include "ports.h"

struct ws;
struct crowd;
struct sessions;
struct ws_config {
	int listener;                   /* takes, unless ws_new() fails; -1: another one has it */
	int descriptors;                /* how many this process may have */
	const char *cert, *key;         /* PEM files, for TLS; NULL: none */
	struct http_config http;        /* but for space */
	struct crowd *crowd;            /* borrows, as sessions */
	struct sessions *sessions;      /* of these connections */
	bool (*turn)(void *arg);        /* runs what is ready in the sessions; true: more is */
	struct ws *(*whose)(void *arg); /* the connection's that comes next */
	void *arg;
};
struct ws_info {
	unsigned clients, unsent;       /* unsent: clients with bytes to come */
	uint64_t bytes;                 /* what is buffered; the library's: see heap.h */
	uint64_t accepted;
	uint64_t turned_away;           /* no place, no descriptor */
	uint64_t limited;               /* over a rate */
	uint64_t late;                  /* no login, or no message, in time */
	uint64_t lost;                  /* pinged in vain */
	uint64_t overflown;             /* did not read: given up, or with frames dropped */
	uint64_t dropped;               /* those frames */
};

struct ws *ws_new(const struct ws_config *c, struct why *why);
void ws_run(struct ws *w);              /* its own thread: until ws_end() */
void ws_take(struct ws *w, int fd);     /* any thread: a connection for it; takes */
void ws_wake(struct ws *w);             /* any thread: a turn soon */
/* Any thread. QUIET: no new connections; LEAVING: closes each with 1001; CUTTING: ends those that
 * have not gone yet; ENDING: ws_run() returns. None is gone back from. */
enum ws_phase { WS_RUNNING, WS_QUIET, WS_LEAVING, WS_CUTTING, WS_ENDING };
void ws_enter(struct ws *w, enum ws_phase phase);
bool ws_left(const struct ws *w);       /* any thread; LEAVING: all are gone, and told of */
void ws_count(const struct ws *w, struct ws_info *add); /* any thread */
/* After ws_run(); nobody may wake it any more. NULL is fine. */
void ws_free(struct ws *w);

#endif
