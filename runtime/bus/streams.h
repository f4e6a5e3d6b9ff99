/* SPDX-License-Identifier: MIT
 * streams.h - the reader of the streams that all nodes which host a topic share: at least once. The
 * loop's thread. */
#ifndef STREAMS_H
#define STREAMS_H

#include "shared.h"

struct streams_config {
	struct loop *loop;
	struct wire *wire;
	const struct topics *topics;
	const char *node;
	/* One message. True: it is done with when shared_delivered() or shared_returned() was
	 * called; false: it was refused. The bytes end with a NUL that is not counted. */
	bool (*entry)(void *arg, struct topic *t, const char *bytes, size_t len,
	              struct delivery *d, bool again);
	bool (*room)(void *arg);        /* may more be taken now? */
	/* 1: that node is there; 0: it is gone; -1: nobody can say yet */
	int (*there)(void *arg, const char *node);
	bool (*ours)(void *arg);        /* is our name? What comes while it is not is read again */
	void *arg;
};

struct streams *streams_new(const struct streams_config *c);
void streams_free(struct streams *s);
void streams_up(struct streams *s);     /* Redis is there, and it is known who else is */
void streams_down(struct streams *s);
void streams_changed(struct streams *s);        /* other topics */
void streams_go(struct streams *s);     /* there may be room again */
void streams_gone(struct streams *s);   /* a node is: what it had is for others */
/* Ends our part in those whose name has gone, and forgets them: a step at each call. */
void streams_sweep(struct streams *s);
void streams_quiet(struct streams *s);
bool streams_idle(const struct streams *s);
unsigned streams_read(const struct streams *s); /* so many are */

#endif
