/* SPDX-License-Identifier: MIT
 * shared.h - one topic's stream: what it brought, from its entries to their acknowledgement. The
 * loop's thread. */
#ifndef SHARED_H
#define SHARED_H

#include "news.h"
#include "topic.h"

enum { SHARED_ID_LEN = 44 };

struct shared;
struct streams;
struct share {                          /* what all streams of a node have in common */
	const struct redis_port *commands;
	const char *node;
	/* As in struct streams_config. */
	bool (*entry)(void *arg, struct topic *t, const char *bytes, size_t len,
	              struct delivery *d, bool again);
	int (*there)(void *arg, const char *node);
	bool (*ours)(void *arg);
	void *arg;
	/* One was acknowledged; or Redis would not take that, which is to be said again later. */
	void (*settled)(struct shared *st, bool taken);
	void (*inherited)(struct shared *st, const char *refusal);      /* see heirs.h */
	/* See leaving.h. through: no part is left that is of a dead node; else again, later. */
	void (*left)(struct shared *st, bool through);
	struct streams *streams;
	unsigned open;                  /* deliveries of all */
	uint32_t lease;                 /* under which is taken what comes: another: it is missed */
	bool missed;                    /* by one of them */
	bool quiet;                     /* the node stops */
	struct buf bytes;
	int64_t said_ms, dropped_ms;            /* when a line was; that a letter was dropped */
};

struct shared {
	struct awaited awaited;
	struct share *share;
	struct topic *topic;
	char *key, *dead;
	/* nobody has written to it, as far as we know; its group is made; it is read; our part in
	 * it ends */
	enum { EMPTY, ASKED, READY, LEAVING } state;
	struct delivery *first;         /* under way, or not acknowledged yet */
	unsigned commands;              /* of ours, whose answers are for it */
	unsigned read;                  /* the read that it was part of last */
	bool made;                      /* it has a group, and that knows us */
	bool missed;                    /* what came while our name was not: read again */
	bool full;                      /* what there was no room for is: at the next look */
	bool rests;                     /* it was refused: tried again at the next look */
	enum trouble { FINE, NO_STREAM, REFUSED } trouble;      /* that was said */
	bool heir;                      /* what our last life had has been claimed */
	char cursor[SHARED_ID_LEN + 1]; /* how far our own of before were looked at */
	struct suspect *suspects;       /* see heirs.c */
	char trying[SHARED_ID_LEN];     /* the one that is handed on; "": none */
	bool claiming;                  /* ... of which Redis has not said yet that it is ours */
};

/* What of an entry nobody can handle becomes a dead letter; why. */
struct aside { struct buf m, why; };

struct delivery {
	struct delivery *next;
	struct shared *stream;
	char id[SHARED_ID_LEN];
	unsigned open;          /* messages that are not handled; while it is split, 1 more */
	uint32_t lease;         /* of core.h: it is ours while that holds, then it is asked about */
	bool lapsed;            /* before all of it was handled */
	bool refused;           /* there was no room for some of it */
	bool acking;
	bool again;             /* it may have been handled before */
	struct buf rest;        /* what of it was for nobody, and goes back */
	struct aside whole, broken;     /* messages, which may be sent again; and what is none */
};

struct shared *shared_new(struct share *s, struct topic *t);    /* borrows both */
void shared_free(struct shared *st);
/* A command whose answer is for st: fn gets it, and calls shared_told() first. False: the link is
 * down. */
bool shared_tell(struct shared *st, redis_fn *fn, int argc, const char **argv);
struct shared *shared_told(void *arg);
void shared_say(struct share *s, const char *about, const char *text);

/* Is our name? What comes of the stream meanwhile is another's, and noted as missed. */
bool shared_ours(struct shared *st);
/* The next of an entry's fields: a message, or what is none. All 0 at first. */
struct piece {
	const uint8_t *at;
	size_t len;
	bool message;
	unsigned nth;                   /* from 1 */
	size_t field;                   /* to go on with, as is */
	struct packed behind;
};
bool shared_piece(const struct redis_reply *fields, struct piece *p);   /* false: there is none */
/* Of an entry, [id, [field, value, ...]]. NULL: it has none of that name. */
const char *shared_field(const struct redis_reply *entry, const char *field);
/* Hands an entry's messages on. again: it may have been handled before. */
void shared_take(struct shared *st, const struct redis_reply *entry, bool again);
void shared_delivered(struct delivery *d);      /* a message of it is handled */
void shared_returned(struct delivery *d, const char *bytes, size_t len);        /* is for nobody */
/* Is refused; good: it may be sent again. */
void shared_set_aside(struct delivery *d, const char *bytes, size_t len, bool good,
                      const char *why);
bool shared_has(const struct shared *st, const char *id);       /* it is under way */
uint32_t shared_lease(const struct delivery *d);
void shared_lapsed(struct delivery *d); /* a message of it was not handled, nor will be */
bool shared_again(struct delivery *d, int code, bool passed);   /* see struct intake_config */
void shared_ack_again(struct shared *st);       /* what was not taken before */

#endif
