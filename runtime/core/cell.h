/* SPDX-License-Identifier: MIT
 * cell.h - the record of an actor, and its mailbox.
 *
 * Cells are 192 bytes in one reserved region that is never unmapped: id -> address is arithmetic,
 * and a stale id reads a live cell, where it is caught twice: by the cell's generation when
 * something is sent, and by the generation in the message when it is run.
 *
 * The mailbox is one word, head:   | units:20 | count:16 | top:28 |
 *   top    the message pushed last, the top of a chain (newest first); or
 *          IDLE   nothing here and in no queue: who pushes must make the actor ready
 *          BUSY   scheduled or running, and nothing new has come
 *          DEAD   takes nothing
 *   count, units    messages, and their size in 64 bytes: what hangs here and what the owner has
 * taken and not yet handled. So the limits are exact, and pushing, counting and learning whether to
 * schedule are one CAS. What the limits do not hold back has room in these bits, too (enum room),
 * or goes by the lane that overtakes: so they never overflow.
 *
 * Invariants
 *   1. Whoever turns top from IDLE to something else makes the actor ready, exactly once; from then
 *      until top is IDLE again the actor belongs to one thread, its owner.
 *   2. After the step to IDLE the owner touches the cell no more: it may run elsewhere already.
 *   3. A cell's generation grows before the cell is used again; it is never reset.
 *   4. A child's cell is its parent's to free, once that has been told that the child has ended: so
 *      the children's chain, which goes through their cells, is the parent's alone. */
#ifndef CELL_H
#define CELL_H

#include "message.h"
#include "registry.h"
#include "sync.h"

struct type;
struct kin;

/* Messages as they will hang in a mailbox: top the newest, last the oldest. top 0: none. */
struct chain { uint32_t top, last; uint64_t weight; };

enum { TOP_IDLE = 0, TOP_BUSY = 1, TOP_DEAD = 2 };
enum { STARTED = 1, HAS_BECOME = 2 };
enum { STATE_INLINE = 64, HOME_POOL = 0 };
/* The most that a type's limits can be, and what may come on top of it: so many marks, and what
 * each thread has gathered (send.c). */
enum { COUNT_LIMIT = 32767, UNITS_LIMIT = (32 << 20) / 64, MARKS = 8192 };

#define HEAD_TOP(h)     ((uint32_t)((h) & 0xfffffff))
#define HEAD_COUNT(h)   ((uint32_t)((h) >> 28 & 0xffff))
#define HEAD_UNITS(h)   ((uint32_t)((h) >> 44))
#define HEAD_WITH(h, top) (((h) & ~0xfffffffull) | (top))
#define HEAD_WEIGHT(units) (1ull << 28 | (uint64_t)(units) << 44)

struct actor {
	/* What a send and a run touch. */
	_Atomic uint64_t head;
	_Atomic uint32_t gen;           /* owner, at birth and burial; senders read */
	/* these and type: set at birth, read by senders that may be late */
	_Atomic uint16_t max_count, type_id;
	_Atomic uint32_t max_units;
	/* owner: messages that have left its count, ever: with the count it numbers them, so that
	 * who looks at both twice knows which have waited since (control/ages.c) */
	_Atomic uint32_t gone;
	_Atomic(struct type *) type;
	uint32_t q;                     /* owner: taken, in order, not yet handled */
	_Atomic uint32_t link;          /* whoever has it ready: next in a queue */
	_Atomic uint8_t home;           /* where it lives: HOME_POOL, or a home's number */
	_Atomic uint8_t stopping;       /* owner: it ends; see kin.h. What comes is not run (yet) */
	_Atomic uint8_t started;        /* owner: STARTED once it has begun, HAS_BECOME: mode.h */
	/* it ends and waits for an order: who sets this to 0 makes it ready */
	_Atomic uint8_t parked;
	_Atomic uint32_t control;       /* the lane that overtakes: a chain, newest first */
	/* held senders; see hold.c. A newborn keeps what it finds here */
	_Atomic uint32_t waiters;
	_Atomic uint32_t held_on;       /* whom it waits, or is going to wait, for */
	_Atomic uint64_t parent;        /* id; 0: the node */
	/* Its state where it fits, else a pointer to it. */
	_Alignas(64) unsigned char state[STATE_INLINE];
	/* Seldom. */
	_Alignas(64) _Atomic(struct name *) name;       /* NULL: none */
	/* owner: asks, kept callers, timers; see ask.h. NULL: none so far */
	struct pending *pending;
	/* number of its birth, which restarts keep: see birth_number() in life.c */
	_Atomic uint64_t born;
	_Atomic uint16_t asks;          /* owner: how many wait for an answer */
	/* its parent's owner: what the parent knows of it, see kin.h */
	uint8_t bond;
	bool cycles;
	_Atomic uint32_t restarts;
	/* owner: what found a full mailbox; held while there is any */
	struct chain kept;
	/* owner: children, links, monitors; see kin.h. NULL: none so far */
	struct kin *kin;
	uint32_t elder, younger;        /* its parent's owner: the children next to it; 0: none */
};
_Static_assert(sizeof(struct actor) == 192, "three cache lines");

extern char *cell_region;
extern uint32_t cell_limit;             /* indices below it lie in the region */

static inline struct actor *cell_at(uint32_t i)
{
	return (struct actor *)(void *)(cell_region + (size_t)i * sizeof(struct actor));
}
static inline uint32_t cell_index(const struct actor *a)
{
	return (uint32_t)((size_t)((const char *)a - cell_region) / sizeof(struct actor));
}
/* May it be an actor's place at all? */
static inline bool cell_is(const void *p)
{
	size_t at = (size_t)((const char *)p - cell_region);

	return at < (size_t)cell_limit * sizeof(struct actor) && at % sizeof(struct actor) == 0;
}
static inline uint64_t cell_id(const struct actor *a)
{
	return (uint64_t)LOAD(&a->gen) << 32 | cell_index(a);
}

/* What it is: changes where a patch gives it a new state. Partner: the release in migrate.c. */
static inline struct type *cell_type(const struct actor *a) { return LOAD_ACQUIRE(&a->type); }

/* Thirty-one bits: the top one tells a name from an incarnation. */
static inline uint32_t cell_next_gen(uint32_t gen) { return gen % 0x7fffffff + 1; }

/* Of a thread: free cells, as messages have them (message.h). */
struct cell_pool { struct magazine free, spare; };

int      cell_init(uint32_t max_actors, struct why *why);
uint32_t cell_most(void);               /* max_actors */
uint32_t cell_count(void);              /* cells ever used: indices below it may be looked at */
/* NULL: max_actors are in use. Where that is many, a few of each thread's pool stay unused. */
struct actor *cell_new(struct cell_pool *p);
void     cell_free(struct cell_pool *p, struct actor *a);       /* after burial */
void     cell_pool_empty(struct cell_pool *p);  /* its thread ends */

/* Room for so much more, behind what is about to come? An empty mailbox takes any one message. */
static inline bool cell_room_behind(const struct actor *a, uint64_t h, uint64_t coming,
				    uint64_t weight)
{
	uint32_t count = HEAD_COUNT(h) + HEAD_COUNT(coming),
		 units = HEAD_UNITS(h) + HEAD_UNITS(coming);

	return count + HEAD_COUNT(weight) <= LOAD(&a->max_count) &&
	       (units + HEAD_UNITS(weight) <= LOAD(&a->max_units) || !count);
}
static inline bool cell_room(const struct actor *a, uint64_t h, uint64_t weight)
{
	return cell_room_behind(a, h, 0, weight);
}

/* What a chain that is pushed may take of the mailbox. */
enum room {
	ROOM_LIMITED,   /* what the actor's limits leave */
	/* it was promised when the question was asked (an answer, a timer): as much as any limit */
	ROOM_PROMISED,
	ROOM_MARK,      /* one unit, which must not overtake: MARKS of them always fit */
	ROOM_SEEN,      /* it was looked at when the messages gathered: see send.c */
};
static inline bool cell_takes(const struct actor *a, uint64_t h, uint64_t weight, enum room room)
{
	uint32_t more = room == ROOM_MARK ? MARKS : 0;

	if (room == ROOM_LIMITED)
		return cell_room(a, h, weight);
	return room == ROOM_SEEN || (HEAD_COUNT(h) + HEAD_COUNT(weight) <= COUNT_LIMIT + more &&
				     HEAD_UNITS(h) + HEAD_UNITS(weight) <= UNITS_LIMIT + more);
}

/* Its owner, before so many leave the count: once it is idle it is not to be touched. */
static inline void cell_gone(struct actor *a, uint64_t weight)
{
	COUNT_UP(&a->gone, HEAD_COUNT(weight));
}

static inline void cell_leave(struct actor *a, uint64_t weight)
{
	cell_gone(a, weight);
	atomic_fetch_sub(&a->head, weight);
}

/* Pushes onto the lane that overtakes; see lane() in post.c. */
static inline void cell_overtake(struct actor *a, struct msg *m)
{
	uint32_t top = LOAD(&a->control);

	do
		m->next = top;
	while (!atomic_compare_exchange_weak(&a->control, &top, msg_index(m)));
}

enum push { PUSH_DONE, PUSH_READY, PUSH_FULL, PUSH_DEAD };
/* Hangs a chain into a's mailbox: top is its newest message, last its oldest. PUSH_READY: the
 * caller must make a ready. */
static inline enum push cell_push(struct actor *a, uint32_t top, struct msg *last, uint64_t weight,
				  enum room room)
{
	uint64_t h = LOAD(&a->head);

	do {    /* release: the messages; partner: the acquire of head in run.c */
		if (unlikely(HEAD_TOP(h) == TOP_DEAD))
			return PUSH_DEAD;
		if (unlikely(!cell_takes(a, h, weight, room)))
			return PUSH_FULL;
		last->next = HEAD_TOP(h);
	} while (unlikely(!CAS(&a->head, &h, HEAD_WITH(h, top) + weight)));
	return HEAD_TOP(h) == TOP_IDLE ? PUSH_READY : PUSH_DONE;
}

#endif
