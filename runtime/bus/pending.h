/* SPDX-License-Identifier: MIT
 * pending.h - what intake.c asked and is not answered yet, found by the question's number. Places
 * stay where they are until the next is added. The loop's thread. */
#ifndef PENDING_H
#define PENDING_H

#include "envelope.h"
#include "topic.h"

enum { PENDING_NONE = UINT32_MAX };

struct pending {
	int64_t ask;
	struct topic *topic;
	struct delivery *delivery;      /* a part of it is done with by the answer */
	int64_t mark;                   /* or by that of this one, which comes behind; 0: none */
	uint32_t lease;                 /* that delivery's; 0: it is handled under none */
	bool asked;                     /* and what a mark is behind was, and is not answered yet */
	uint32_t next;                  /* in its chain, or among the free */
	enum encoding enc;
	bool sure;                      /* it came by a stream */
	bool barrier;                   /* of a delivery: it counts among those */
	bool passed;                    /* it is for the actor that intake_instead() tells */
	size_t ct, cb, id;      /* lengths; bytes holds ct NUL cb NUL id. cb 0: nobody waits */
	struct buf bytes;
};

struct pendings {
	struct pending *place;
	uint32_t *chain;                /* of places, by the ask's number */
	uint32_t room, free;            /* free: PENDING_NONE at first */
	unsigned n;
};

/* All but its number is empty. */
struct pending *pending_add(struct pendings *ps, int64_t ask);
struct pending *pending_find(const struct pendings *ps, int64_t ask);   /* NULL: not (any more) */
/* The same, and it is found no more: pending_free() is next. */
struct pending *pending_take(struct pendings *ps, int64_t ask);
void pending_free(struct pendings *ps, struct pending *p);
void pending_fini(struct pendings *ps);

#endif
