/* SPDX-License-Identifier: MIT
 * inbox.h - what other nodes send to actors here. The loop's thread. */
#ifndef INBOX_H
#define INBOX_H

#include "wire.h"
#include "peers.h"

struct inbox_config {
	struct loop *loop;
	struct wire *wire;
	struct peers *peers;
	const char *node;               /* borrowed, as is all else */
	const char *life;               /* of this process: "LIFE 0", as of a sender */
	/* It is read from now on, after each inbox_up(); or, with a reason, it cannot be. */
	void (*opened)(void *arg, const char *failed);
	bool (*ours)(void *arg);        /* the name is; while it is not, nothing is taken */
	void (*doubted)(void *arg);     /* it seems not to be: inbox_up() follows, where it is */
	void *arg;
};
struct inbox_info { uint64_t taken, again, doubles, refused; unsigned pending, held; };

struct inbox;
struct inbox *inbox_new(const struct inbox_config *c, struct why *why); /* makes an actor */
void inbox_free(struct inbox *in);      /* when the core has stopped */
void inbox_up(struct inbox *in);        /* Redis is there (again), and the node's name is ours */
void inbox_down(struct inbox *in);
void inbox_quiet(struct inbox *in);     /* this life ends by itself: it dies of nothing there */
void inbox_tell(struct inbox *in);      /* something goes to Redis: what is handled goes along */
bool inbox_idle(const struct inbox *in);        /* what was read is handled, and Redis knows */
void inbox_info(const struct inbox *in, struct inbox_info *out);

#endif
