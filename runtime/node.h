/* SPDX-License-Identifier: MIT
 * node.h - the whole runtime: builds it, starts, drains, stops. */
#ifndef NODE_H
#define NODE_H

#include "actor.h"
#include <stdbool.h>

struct shipped_actor { const char *name; const struct actor_type *type; };
extern const struct shipped_actor shipped_actors[];     /* made from actors/ by the build; ends with 0 */

struct node_config {
	const char *listen, *redis, *redis_bind, *topic, *control, *state, *node, *patch_keys, *origins;
	int redis_port, workers;
	bool redis_port_asked, redis_asked, listen_asked, unsigned_patches;
	const char **actors; int actor_count;   /* ACTOR.c, ACTOR.so, DIR */
};
/* Runs until SIGTERM or SIGINT. Returns the process's exit status. Main thread. */
int node_run(const struct node_config *c);

#endif
