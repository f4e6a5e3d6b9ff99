/* SPDX-License-Identifier: MIT
 * kin.h - what an actor has to do with others: its children, whom it watches, who watches it,
 * its links, and why it ends. A record of its own, made when the first of these comes about:
 * most actors have none.
 *
 * Everything here is its owner's alone. So is what its children's cells say of them as children
 * (elder, younger, bond, cycles), which no other thread looks at: see cell.h, invariant 4. */
#ifndef KIN_H
#define KIN_H

#include "memory.h"
#include "post.h"

/* Why an actor ends, and how far it has come: actor.stopping is a cause, and later a phase
 * with it. */
enum {
	END_TOLD = 1,           /* by somebody else: for good */
	END_ITSELF,             /* actor_stop() of itself */
	END_FAILED,
	END_CYCLED,             /* its parent's strategy wants it to start anew */
	END_CAUSE = 7,
	END_CHILDREN = 8,       /* its children are ended first */
	END_OVER = 16,          /* this incarnation has stopped; waits for FN_RESTART or FN_STOP */
};

/* What a parent knows of a child. PARTED: it is none any more, it did not end in time. */
enum bond { BOND_UP, BOND_GOING, BOND_DOWN, BOND_COMING, BOND_TOLD, BOND_PARTED };

struct monitor { int64_t number; uint64_t whom; const char *then; };    /* mine; then: interned */
struct watcher { uint64_t who, number; };                               /* of me */

struct kin {
	uint32_t oldest, youngest;      /* its children, by their first start; 0: none */
	int64_t *times;                 /* of its children's last restarts, a ring */
	uint32_t delay_ms;              /* before the next one */
	int64_t until_ms;               /* so long a child that was told to end may take */
	bool timed;                     /* FN_PATIENCE is on its way */
	int64_t drain_until_ms;         /* so long what waits may be handled, its children's too */
	struct monitor *monitors;
	struct watcher *watchers;
	uint64_t *links;
	uint32_t monitor_count, watcher_count, link_count, serial;
	struct memory *memory;          /* by actor_alloc(); NULL: none */
	struct buf init;                /* values of the message `init` that follows each start */
	unsigned init_count;
	void *state; size_t state_size; /* copied to the front of the state before each start */
	char reason[192];               /* why it ends */
};

extern _Thread_local struct why kin_why;        /* what actor_why() says on this thread */
/* That actor took nothing: rc, which is returned. It may happen often, so it is just noted, and put
 * into words by who asks for them. */
COLD int kin_refused(const struct actor *by, int rc);
const char *kin_words(void);            /* actor_why() */

struct kin *kin_of(struct actor *a);            /* made when there is none */
void kin_free(struct actor *a);                 /* after its last end, without children */
const char *kin_reason(const struct actor *a);
/* Owner: from the end of what runs now on a is ending, if it is not yet. */
void kin_end(struct actor *a, uint8_t cause);
void kin_fail(struct actor *a, const char *fmt, ...) PRINTF(2, 3);

/* Its children, in a loop; NULL: there is none (any more). */
static inline struct actor *kin_child(uint32_t cell) { return cell ? cell_at(cell) : NULL; }
void kin_bear(struct actor *parent, struct actor *child);       /* the youngest */
void kin_part(struct kin *k, struct actor *child);              /* a child no more */

#endif
