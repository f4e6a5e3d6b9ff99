/* SPDX-License-Identifier: MIT
 * lists.h - the reader of the lists: one command that waits on the lists of all topics. */
#ifndef LISTS_H
#define LISTS_H

#include "wire.h"
#include "topic.h"

struct lists_config {
	struct loop *loop;
	struct wire *wire;
	const struct topics *topics;
	/* The list on which this node's own questions are answered, and a channel, subscribed to */
	const char *reply;
	bool echoes;                    /* it is one Redis: it publishes there for a pop, too */
	/* t NULL: it came on reply. The bytes end with a NUL that is not counted. */
	void (*message)(void *arg, struct topic *t, const char *bytes, size_t len);
	bool (*room)(void *arg);        /* may more be taken now? */
	void *arg;
};

struct lists;
struct lists *lists_new(const struct lists_config *c);
void lists_free(struct lists *l);
/* Reads on, if it may and does not: to be called after whatever may have made that true. */
void lists_go(struct lists *l);
void lists_changed(struct lists *l);    /* other topics than those that are being waited on */
void lists_beat(struct lists *l, int64_t beat);         /* link's pulse is back */
/* What came by the channel `reply`. False: it is no echo of a pop of ours. */
bool lists_heard(struct lists *l, const char *bytes, size_t len);
void lists_down(struct lists *l);       /* the link is gone */
void lists_quiet(struct lists *l);      /* takes nothing more */
bool lists_use(void *lists, const struct topic *t);      /* they may bring something for t yet */
bool lists_idle(const struct lists *l); /* takes nothing, and has nothing */

#endif
