/* SPDX-License-Identifier: MIT
 * intake.h - from a message of Redis to a call of an actor, and from its answer to Redis. */
#ifndef INTAKE_H
#define INTAKE_H

#include "loop.h"
#include "outbox.h"
#include "topic.h"

struct intake_config {
	struct loop *loop;
	struct outbox *outbox;
	const struct topics *topics;
	const char *node;               /* broadcasts with this pid are our own */
	/* An answer for this node itself (to what its actors asked elsewhere), which says so by
	 * ct: true, and it was. */
	bool (*own)(void *arg, const char *ct, const char *cb, struct packed args, unsigned count,
	            int code, const char *text);
	void (*settled)(void *arg);     /* something has been answered: there may be room again */
	/* A part of what intake_deliver() took has been handled. */
	void (*delivered)(struct delivery *d);
	/* Or is not, as its actor is not here (any more): what it was. */
	void (*returned)(struct delivery *d, const char *bytes, size_t len);
	/* Or will never be, and nobody asked who could be told. good: it is a message, which may be
	 * sent again when its actor takes it. */
	void (*set_aside)(struct delivery *d, const char *bytes, size_t len, bool good,
	                  const char *why);
	/* The lease that it was taken under (core.h); it has lapsed before a part was handled: that
	 * part is done with by delivered() all the same. */
	uint32_t (*lease)(const struct delivery *d);
	void (*lapsed)(struct delivery *d);
	/* A barrier of it was answered by that code; passed: by whom intake_instead() told. True:
	 * it will be tried again. It is done with by delivered() all the same. */
	bool (*again)(struct delivery *d, int code, bool passed);
	void *arg;
};
struct intake_info { uint64_t taken, answered, refused; unsigned pending, held; };

/* Who may be called, for a handler with ON_BARRIER of an idle actor, in that actor's stead: one to
 * whom that function would pass it on, under the same name, or whose own it is; where that one says
 * ACTOR_EFULL nothing was done. 0: nobody. Before the first message. */
void intake_instead(actor_ref (*fn)(handler *passes));

struct intake;
/* self: the actor that asks; its handler `answered` calls intake_answered(). All else is
 * borrowed. */
/* again: asks what may have been handled before. */
struct intake *intake_new(const struct intake_config *c, actor *self, actor *again);
void intake_free(struct intake *in);
/* A message that came for t. Borrows the bytes, which end with a NUL that is not counted. */
void intake_take(struct intake *in, struct topic *t, const char *bytes, size_t len, bool channel);
/* One message of an entry of a stream. again: it may have been handled before. It is done with when
 * delivered(), returned() or set_aside() has been called as often as this returned true. */
bool intake_deliver(struct intake *in, struct topic *t, const char *bytes, size_t len,
                    struct delivery *d, bool again);
/* What was asked by a list or a channel, and is not answered yet, is refused: the node is stopping.
 * What came by a stream comes again. */
void intake_give_up(struct intake *in);
int  intake_answered(struct intake *in, actor *self, const msg *m);
/* Tells cb of ct: count values, or code and text. In JSON. */
void intake_tell(struct intake *in, const char *ct, const char *cb, struct packed args,
                 unsigned count, int code, const char *text);
void intake_info(const struct intake *in, struct intake_info *out);

#endif
