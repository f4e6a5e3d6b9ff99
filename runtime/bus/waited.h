/* SPDX-License-Identifier: MIT
 * waited.h - which topics' lists a pop waits on, where a node has more of them than one command
 * should name. The loop's thread. */
#ifndef WAITED_H
#define WAITED_H

#include "loop.h"
#include "wire.h"

struct waited_config {
	struct loop *loop;
	const struct redis_port *port;  /* on which nothing blocks */
	const struct topics *topics;
	bool whole;                     /* wait on all, however many */
	bool (*open)(void *arg, struct topic *t);       /* may more of t be taken now? */
	void (*found)(void *arg);       /* something lies where none waits: it is waited on now */
	void *arg;
};

struct waited;
struct waited *waited_new(const struct waited_config *c);
void waited_free(struct waited *w);
/* Those that the next pop waits on, in the order in which it asks; also those that are not open. */
void waited_each(struct waited *w, void (*fn)(void *arg, struct topic *t), void *arg);
/* A pop brought something of t, which is pointed at from now on, while t->front. */
void waited_brought(struct waited *w, struct topic *t);
void waited_down(struct waited *w);     /* the link is gone: another Redis may come */

#endif
