/* SPDX-License-Identifier: MIT
 * node.h - the whole runtime: builds it, starts, drains, stops. */
#ifndef NODE_H
#define NODE_H

#include <stdbool.h>

#include "gateway/limits.h"

enum redis_kind { REDIS_IS_DEFAULT, REDIS_IS_EMBEDDED, REDIS_IS_ELSEWHERE, REDIS_IS_NONE };

/* What options_read() fills in; all strings are borrowed, NULL where nobody said. */
struct node_config {
	const char *listen_addr; int listen_port;       /* addr NULL: no clients */
	int ws_threads;                                 /* for them */
	enum redis_kind redis;
	const char *redis_url;                          /* REDIS_IS_ELSEWHERE */
	int redis_db;                                   /* of the embedded one, as are: */
	const char *redis_bind, *redis_password; int redis_port; bool redis_port_asked;
	int log_format;                 /* enum log_format */
	const char *topic, *control, *state, *node, *origins;
	const char *time_zone;                          /* NULL: TZ's, or the system's */
	const char *login, *token_key; int same_user;   /* an actor; the gateway's enum */
	int workers;                                    /* 0: as many as there are processors */
	int max_actors;                                 /* 0: core's own limit */
	int unsigned_patches;                           /* below 0: nobody said */
	bool fail_fast;                                 /* no start without Redis */
	const char *patch_keys, *groups, *probation;
	const char *tls_cert, *tls_key;                 /* both or none */
	const char *files, *debug_token;
	struct gateway_limits limits;
	const char *const *actors; int actor_count;     /* ACTOR.c, ACTOR.so, DIR */
};
/* Runs until SIGTERM or SIGINT. Returns the process's exit status: 0, or 2 after one line on
 * stderr. Main thread, as its first act: it makes the others. */
int node_run(const struct node_config *c);

#endif
