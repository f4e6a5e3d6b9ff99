/* SPDX-License-Identifier: MIT
 * commands.h - the actor `node`: actorctl's commands are its handlers. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "loop/loop.h"

/* What a node knows that this room does not (Redis, clients, patches, ...): its sections of
 * `inspect`. */
struct control_sources {
	const char *node;       /* the node's name; borrowed until control_free() */
	/* Appends pairs to a map: for each a str (pack_text: "redis", "clients", "patches",
	 * "warnings", ...) and one packed value. Returns how many pairs. On the loop's
	 * thread, and must not wait. actorctl shows a map as `key value` words, a list of
	 * maps as a table (columns: the first map's keys), a list of strs one a line, in
	 * the order given. No passwords: people paste what inspect says. */
	unsigned (*sections)(void *arg, struct buf *pairs);     /* may be NULL */
	void *arg;
};

struct commands;
/* Makes the actor on that home. Borrows sources->node. */
struct commands *commands_new(struct home *home, const struct control_sources *sources,
                              struct why *why);
void commands_ready(struct commands *n);        /* the home's thread */
void commands_free(struct commands *n);         /* when no handler runs any more */

#endif
