/* SPDX-License-Identifier: MIT
 * nodes.h - the nodes that share a Redis: who is there, in which of its lives, with what. The
 * loop's thread. */
#ifndef NODES_H
#define NODES_H

#include "loop.h"
#include "ports.h"

enum {
	NODES_BEAT_MS = 500,            /* so often a node is heard of, and looks who is */
	/* Unheard of for so long, with Redis there, it is gone, which is told by the next beat. */
	NODES_ALIVE_MS = 3000,
};
#define NODES_CHANNEL "actord:nodes"    /* to be handed to nodes_look() */

struct nodes_config {
	struct loop *loop;
	const struct redis_port *port;  /* borrowed, as are: */
	const char *node;
	const char *identity;           /* of its state folder: who has it may take the name over */
	uint64_t life;                  /* of this process */
	void (*joined)(void *arg);      /* the name is ours, after each nodes_up() */
	void (*ours)(void *arg);        /* it is again, after a while in which nobody knew */
	void (*refused)(void *arg, const char *reason); /* somebody else has the name */
	void (*failed)(void *arg, const char *reason);  /* Redis does not let us */
	/* Redis answers too late, again and again, for the name to be ours. */
	void (*slow)(void *arg, int64_t took_ms);
	/* Came, or changed. info: one packed map. */
	void (*seen)(void *arg, const char *name, uint64_t life, struct packed info);
	void (*gone)(void *arg, const char *name);
	void *arg;
};

struct nodes;
struct nodes *nodes_new(const struct nodes_config *c);
void nodes_free(struct nodes *s);
void nodes_up(struct nodes *s);
void nodes_down(struct nodes *s);       /* Redis is away: nobody is taken for gone meanwhile */
/* What the others are to know of us: one packed map, copied. */
void nodes_announce(struct nodes *s, struct packed info);
void nodes_look(struct nodes *s);       /* somebody has changed */
void nodes_leave(struct nodes *s);
/* Redis has said that we are there, by a beat of less than NODES_ALIVE_MS ago: nobody else can have
 * the name meanwhile, nor take us for gone. Or it has not been asked yet. */
bool nodes_ours(const struct nodes *s);
void nodes_doubt(struct nodes *s);      /* it may not be ours: not until Redis has said so again */
/* 1: it is there; 0: it is not; -1: nobody can say, until NODES_ALIVE_MS after nobody could be
 * heard. */
int nodes_knows(const struct nodes *s, const char *name);
bool nodes_left(const struct nodes *s); /* Redis has that */
/* The others that are there. */
void nodes_each(const struct nodes *s,
                void (*each)(void *arg, const char *name, struct packed info), void *arg);

#endif
