/* SPDX-License-Identifier: MIT
 * suspects.h - what a node may have died of, as it was in its inbox: noted in Redis before it is
 * handed on, and put aside in the end. The loop's thread. */
#ifndef SUSPECTS_H
#define SUSPECTS_H

#include "acks.h"
#include "frame.h"

/* With that message alone in hand; and one more with its frame. */
enum { SUSPECTS_DEATHS = 2 };

struct suspects {
	const struct redis_port *port;  /* borrowed, as is the key of the hash */
	const char *key;
	/* So many lives of this node ended while it was in hand; or it is buried. Not said where
	 * the link is lost. failed: Redis's words. */
	void (*noted)(void *arg, int64_t deaths, const char *failed);
	void (*buried)(void *arg, const char *failed);
	void *arg;
};

/* The nth part of that entry is in hand, or (0) all of it; life tells this process from others. */
void suspects_note(struct suspects *s, const struct id *id, unsigned nth, int64_t life_ms);
/* part, a SEND or ASK of it, becomes a dead letter of the actor's that it is for. */
void suspects_bury(struct suspects *s, const struct id *id, const struct part *part);

#endif
