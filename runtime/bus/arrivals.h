/* SPDX-License-Identifier: MIT
 * arrivals.h - what a frame brings (frame.h), handed on to the actors here, in its order. The
 * loop's thread. */
#ifndef ARRIVALS_H
#define ARRIVALS_H

#include "acks.h"
#include "peers.h"

struct arrivals_config {
	struct loop *loop;
	struct peers *peers;
	struct acks *acks;
	void (*refused)(void *arg, const char *about, const char *text);
	void *arg;
};

struct arrivals;
/* Makes an actor. */
struct arrivals *arrivals_new(const struct arrivals_config *c, struct why *why);
void arrivals_free(struct arrivals *s); /* when the core has stopped */
/* What is taken from now on belongs to b, until arrivals_end(): by then b is open for each actor
 * that has something of it to handle. */
void arrivals_begin(struct arrivals *s, struct batch *b);
void arrivals_end(struct arrivals *s);
/* again: it may have been handled before. */
void arrivals_take(struct arrivals *s, struct peer *p, const struct part *part, bool again);
/* What was read is handled, maybe: is what the answered asked next under way, too? */
void arrivals_look(struct arrivals *s);
/* Of what waits for room in a mailbox; how many those are; and the marks that are to be reached. */
size_t   arrivals_late_bytes(const struct arrivals *s);
unsigned arrivals_late(const struct arrivals *s);
unsigned arrivals_pending(const struct arrivals *s);

#endif
