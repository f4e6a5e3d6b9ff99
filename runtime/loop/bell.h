/* SPDX-License-Identifier: MIT
 * bell.h - wakes the thread of a home that sleeps in a poll, and only one that does. */
#ifndef BELL_H
#define BELL_H

#include "core.h"
#include "sync.h"

struct bell {
	int fd;                 /* to be polled by edges: it need not be read */
	_Atomic bool rung;
	unsigned shy, pass;     /* see bell_await() */
};

int  bell_init(struct bell *b);         /* ACTOR_EFAIL with errno: no descriptor */
void bell_fini(struct bell *b);
void bell_ring(struct bell *b);         /* any thread */
/* The rest on the thread that is woken. It is awake, and looks at its home after bell_heard() and
 * before it sleeps: till then nobody need ring. */
void bell_awake(struct bell *b);
void bell_heard(struct bell *b);        /* who has something for it now rings again */
/* Does not sleep yet: what is ready at h soon is waited for, some microseconds at most, if that was
 * not in vain lately. */
void bell_await(struct bell *b, const struct home *h);

#endif
