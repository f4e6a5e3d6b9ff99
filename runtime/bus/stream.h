/* SPDX-License-Identifier: MIT
 * stream.h - one topic's stream: what it brought, from its entries to their acknowledgement. The
 * loop's thread. */
#ifndef STREAM_H
#define STREAM_H

#include "news.h"
#include "topic.h"

enum { STREAM_ID_LEN = 44 };

struct stream;
struct streams;
struct share {                          /* what all streams of a node have in common */
	const struct redis_port *commands;
	const char *node;
	/* As in struct streams_config. */
	bool (*entry)(void *arg, struct topic *t, const char *bytes, size_t len,
	              struct delivery *d, bool again);
	bool (*there)(void *arg, const char *node);
	void *arg;
	/* One was acknowledged; or Redis would not take that, which is to be said again later. */
	void (*settled)(struct streams *s, bool taken);
	void (*inherited)(struct stream *st);   /* see heirs.h */
	struct streams *streams;
	unsigned open;                  /* deliveries of all */
	struct buf bytes;
	int64_t said_ms;
};

struct stream {
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
	bool rests;                     /* it was refused: tried again at the next look */
	enum trouble { FINE, NO_STREAM, REFUSED } trouble;      /* that was said */
	bool heir;                      /* what our last life had has been claimed */
	char cursor[STREAM_ID_LEN + 1]; /* how far our own of before were looked at */
};

struct delivery {
	struct delivery *next;
	struct stream *stream;
	char id[STREAM_ID_LEN];
	unsigned open;          /* messages that are not handled; while it is split, 1 more */
	bool acking;
	bool again;             /* it may have been handled before */
	struct buf rest;        /* what of it was for nobody, and goes back */
};

struct stream *stream_new(struct share *s, struct topic *t);    /* borrows both */
void stream_free(struct stream *st);
/* A command whose answer is for st: fn gets it, and calls stream_told() first. */
void stream_tell(struct stream *st, redis_fn *fn, int argc, const char **argv);
struct stream *stream_told(void *arg);
void stream_say(struct share *s, const char *about, const char *text);

/* [id, [field, value, ...]]: hands its messages on. again: it may have been handled before. */
void stream_take(struct stream *st, const struct redis_reply *entry, bool again);
void stream_delivered(struct delivery *d);      /* a message of it is handled */
void stream_returned(struct delivery *d, const char *bytes, size_t len);        /* is for nobody */
bool stream_has(const struct stream *st, const char *id);       /* it is under way */
void stream_ack_again(struct stream *st);       /* what was not taken before */

#endif
