/* SPDX-License-Identifier: MIT
 * shards.h - which masters a Cluster has, and which of them has which slots. The loop's thread. */
#ifndef SHARDS_H
#define SHARDS_H

#include "ports.h"
#include "slots.h"

enum { MASTERS_MOST = 128 };

struct shards {
	int masters;
	struct { char host[256]; int port; } master[MASTERS_MOST];
	uint8_t at[SLOTS];      /* the number of the slot's master */
};

/* Reads the answer to CLUSTER SLOTS; asked is the host that gave it, for a master that it names
 * by no other. How many slots have a master: all, or it is of no use. */
int64_t shards_read(struct shards *s, const struct redis_reply *r, const char *asked);
int     shards_find(const struct shards *s, const char *host, int port);        /* -1: it is none */

#endif
