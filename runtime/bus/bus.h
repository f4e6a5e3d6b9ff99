/* SPDX-License-Identifier: MIT
 * bus.h - messages between processes, through Redis. Lives on the I/O loop. */
#ifndef BUS_H
#define BUS_H

#include "loop.h"

struct bus_config {
	const char *url;        /* redis://[user:password@]host:port/db or unix:///path?db=N */
	const char *socket;     /* a way to it that is shorter, by its path; NULL or "": none */
	const char *node;       /* this node's name: a broadcast with it as its `pid` is our own */
	const char *identity;   /* of its state folder, which the name belongs to */
	const char *groups;     /* that it is in: "a,b"; NULL: none */
	/* Appends one packed list of texts, the patches in force, for the other nodes to see. */
	void (*patches)(void *arg, struct buf *out);
	/* Another runtime has this node's name: it must end. */
	void (*refused)(void *arg, const char *reason);
	void *arg;
};
struct bus_info {
	bool connected;
	const char *url;
	const char *trouble;            /* what kept it from being connected last; "": nothing */
	const char *warning;            /* of what may be lost as Redis is set up; "": nothing */
	uint64_t taken, answered, published, refused;
	unsigned pending;
	uint64_t bytes;                 /* that wait to be written to Redis, for other nodes, too */
	/* from and to other nodes */
	uint64_t node_taken, node_again, node_doubles, node_sent, node_frames;
	/* names: of actors here; those of them that are written to by streams; of other nodes */
	unsigned topics, streams, elsewhere;
};

struct bus;
/* Makes the actor `bus` (a proxy and the route of names that no actor here has), connects, and
 * from then on hosts every named actor as a topic. A URL that is none: NULL with why; a Redis
 * that is away is waited for. */
struct bus *bus_new(struct loop *l, const struct bus_config *c, struct why *why);
/* Each time the link is up and all is subscribed; up false: and when that is over. */
void bus_on_change(struct bus *b, void (*fn)(void *arg, bool up), void *arg);
void bus_info(const struct bus *b, struct bus_info *out);
/* Appends a URL, with its password, by which any client reaches the Redis of now. False: it is
 * away. */
bool bus_url(const struct bus *b, struct buf *out);
/* A map for each node on this Redis, this one first; their number. */
unsigned bus_nodes(const struct bus *b, struct buf *rows);
void bus_quiet(struct bus *b);          /* takes nothing more; answers still go out */
enum bus_state {
	BUS_AWAY,
	/* as BUS_UP, but Redis refuses what this node needs to take messages, or is too slow */
	BUS_RESTS,
	BUS_ALONE,      /* as BUS_UP, but Redis refuses what other nodes need to reach this one */
	BUS_UP,         /* the link is, and all is subscribed */
};
enum bus_state bus_state(const struct bus *b);  /* any thread */
/* What was taken is answered, and Redis has that, and all else that was said. */
bool bus_idle(struct bus *b);
/* Who waits on a list or a channel for an answer that will not come in time is told so. */
void bus_give_up(struct bus *b);
/* Once it is idle: this node leaves the others; again and again until true: they know. */
bool bus_leave(struct bus *b);
void bus_free(struct bus *b);

#endif
