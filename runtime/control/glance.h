/* SPDX-License-Identifier: MIT
 * glance.h - what `actorctl inspect` says of the node. */
#ifndef GLANCE_H
#define GLANCE_H

#include "core.h"

/* What a node knows that this room does not (Redis, clients, patches, ...): its sections of
 * `inspect`. */
struct control_sources {
	const char *node;       /* the node's name; borrowed until control_free() */
	/* Why the node does not serve now, as /readyz has it; NULL: it does. May be NULL. */
	const char *(*unready)(void *arg);
	/* Appends pairs to a map: for each a str (pack_text: "redis", "clients", "patches",
	 * "warnings", ...) and one packed value. Returns how many pairs. On the loop's
	 * thread, and must not wait. actorctl shows a map as `key value` words, a list of
	 * maps as a table (columns: the first map's keys), a list of strs one a line, in
	 * the order given. No passwords: people paste what inspect says. */
	unsigned (*sections)(void *arg, struct buf *pairs);     /* may be NULL */
	/* The same, of the memory by owner, in bytes: what actors, mailboxes and code do not
	 * take. */
	unsigned (*memory)(void *arg, struct buf *pairs);       /* may be NULL */
	/* Appends a map for each node that shares this one's Redis, this one first; how many.
	 * *but: what whoever reads them should know besides, or NULL. */
	unsigned (*nodes)(void *arg, struct buf *rows, const char **but);       /* may be NULL */
	/* Of an actor of this type, whose state is so: appends a map a field, with field, type
	 * and value. How many, or -1: not known. May be NULL. */
	int (*fields)(struct type *type, const void *state, size_t len, struct buf *rows);
	/* Loads and starts an actor, as the command line does. 0: done(of, rc, words) comes, on
	 * this thread. Negative with why: it does not. May be NULL. */
	int (*start)(void *arg, const char *what,
	             void (*done)(void *of, int rc, const char *text), void *of, struct why *why);
	bool unsigned_redis;    /* who may use our Redis may also change what runs */
	void *arg;
};

struct census;
struct glance {
	const struct control_sources *sources;
	struct census *census;          /* of all actors */
	int64_t started_ms;
	bool ready;
};
/* Appends one map. The home's thread. */
void glance_node(const struct glance *g, struct buf *out);
/* What the process has in memory, and has had of processors. Any thread. */
int64_t glance_resident_bytes(void);
int64_t glance_cpu_ns(void);

#endif
