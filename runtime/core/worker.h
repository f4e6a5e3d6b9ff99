/* SPDX-License-Identifier: MIT
 * worker.h - what belongs to a thread that runs actors, and when the others may be sure that it has
 * let go.
 *
 * Workers of the pool, homes (the I/O loop, the gateway) and one record for all other threads,
 * under a lock. A worker counts its turns: odd while it is inside one, even between two; from one
 * straight into the next it counts by two. A table that was replaced is freed when every worker
 * that was inside a turn at that time has left it: quiescent-state-based reclamation (McKenney and
 * Slingwine, 1998), with one store a turn as its price. */
#ifndef WORKER_H
#define WORKER_H

#include "cell.h"

enum { WORKERS_MAX = 256, CALL_SLOTS = 1 << 20 };

/* What a handler gathers for one actor goes when it is so much; larger messages are not gathered.
 * So what all threads have gathered for one actor fits its word, on top of all else. 64: the heads
 * of what an empty mailbox takes. */
enum { BOX_MAX = 96, BOX_UNITS = 960 };
_Static_assert(COUNT_LIMIT + MARKS + WORKERS_MAX * BOX_MAX <= HEAD_COUNT(UINT64_MAX), "count");
_Static_assert(UNITS_LIMIT + 64 + MARKS + WORKERS_MAX * (2 * BOX_UNITS - 1) <=
	       HEAD_UNITS(UINT64_MAX), "units");

enum { IN_HANDLER = 1, IN_REFUSAL = 2, IN_TRACE = 4, IN_GATHERING = 8 };

struct call_times;
struct call_count { _Atomic uint64_t calls, failures, ns; _Atomic(struct call_times *) times; };

/* By the handlers' own numbers (entry.count). Grows by being replaced; `before` is kept, as
 * somebody may be looking at it. */
struct call_counts { uint32_t n; struct call_counts *before; struct call_count of[]; };

struct guard;
struct span;
struct ring_own;

struct worker {
	/* The owner writes, all the time. */
	_Alignas(128) _Atomic uint64_t turn;
	struct message_pool pool;
	struct cell_pool cells;
	/* the next number for a child, how many are left, and as of when; see life.c */
	uint64_t birth, roots;
	uint32_t births;
	/* From the second message in a row that a handler sends to one actor on, they gather here,
	 * a chain as it will hang in a mailbox, and go with one CAS: when another target comes, or
	 * the handler ends. */
	struct actor *last_to, *box_to;
	struct chain box;
	/* IN_HANDLER, and IN_REFUSAL once msg_fail() was called, IN_TRACE where it is a step;
	 * IN_GATHERING alone: see core_gather() */
	uint8_t in_handler;
	uint64_t vain;          /* `handled`, and 1, when a send last found nobody, or no room */
	/* A send of this handler found a mailbox full whose type holds senders: see hold.h. */
	struct actor *hold_on;
	struct chain kept;
	struct msg_out *outs;           /* begun by the handler that runs; see out.c */
	_Atomic(struct call_counts *) calls;    /* the owner's, others read */
	struct span *span;              /* the step that this is, or NULL; see trace.h */
	struct ring_own *ring;          /* for what is traced here; NULL: nothing was so far */
	void *owned;                    /* times of handlers: a chain, each begins with the next */
	_Atomic(struct guard *) guard;  /* for compiled code; NULL: none was run yet. See guard.h */
	/* inside a turn so many times over: a call within a handler */
	uint32_t depth;
	uint8_t origin;                 /* enum origin of what is being handled */
	char failure[256];              /* what msg_fail() said where nobody waits for an answer */
	/* messages that the turn under way may still handle; the scheduler ends it early, by 1 */
	uint32_t left;
	bool pooled;                    /* a worker of the pool, not a home */
	bool buried;                    /* an actor that it ran has ended; see home_ended() */
	/* calls until one is timed, and how many it stands for */
	uint32_t sample_left, sample_every;
	uint64_t sampled;               /* when the last one was; cycle counter */
	/* The owner writes, others look. */
	_Atomic(struct actor *) actor;  /* whose turn it is; NULL: none */
	_Atomic(const char *) handler;
	_Atomic uint64_t began;         /* a home's: cycle counter at the turn's beginning */
	/* a pool worker's, by the watch: when a turn that lasts began; 0: none */
	_Atomic int64_t since_ns;
	_Atomic int cpu_clock;          /* its thread's; 0: not known */
	_Atomic uint64_t sent, handled, failed, dead, refused, late, expired, faults;
	/* of the handled: those that are dead letters all the same */
	_Atomic uint64_t spoilt;
	_Atomic int64_t living;         /* actors born here, less those buried here */
	char name[24];
	void *runs;                     /* the scheduler's part, or the home's */
};

extern _Thread_local struct worker *worker_self;        /* NULL: a thread that is no worker */

/* A send of the handler under way found nobody, or no room; and whether a handler that returns rc
 * just passes that on, which is business and no failure. */
static inline int worker_vain(struct worker *w, int rc)
{
	w->vain = LOAD(&w->handled) + 1;
	return rc;
}

static inline bool worker_passes_on(const struct worker *w, int rc)
{
	return (rc == ACTOR_ENOENT || rc == ACTOR_EFULL) && w->vain == LOAD(&w->handled) + 1;
}

/* What a handler's calls on this worker are counted in; the owner's. */
COLD struct call_count *worker_count_slow(struct worker *w, uint32_t slot);
static inline struct call_count *worker_count_of(struct worker *w, uint32_t slot)
{
	struct call_counts *all = LOAD(&w->calls);

	return likely(slot < all->n) ? &all->of[slot] : worker_count_slow(w, slot);
}
/* The same for others; NULL: none so far. */
static inline struct call_count *worker_counted(struct worker *w, uint32_t slot)
{
	struct call_counts *all = LOAD_ACQUIRE(&w->calls);      /* partner: count_up_to() */

	return all && slot < all->n ? &all->of[slot] : NULL;
}

void worker_add(struct worker *w, const char *name);    /* from now on grace waits for it too */
void worker_clock(struct worker *w);    /* its thread is the calling one */
int64_t worker_cpu_ns(struct worker *w);        /* that this has used; 0: not known */
void worker_remove(struct worker *w);
uint32_t       worker_count(void);
struct worker *worker_at(uint32_t i);                   /* NULL: gone */

extern _Atomic uint32_t worker_fence_word;
/* the kernel makes the fence of all turns, when it is needed */
extern bool worker_membarrier;

/* In a form that TSan understands. */
static inline void worker_full_fence(void)
{
	atomic_fetch_add(&worker_fence_word, 1);
}

/* One side of an asymmetric fence is for free, the other asks the kernel (or both cost the same).
 */
static inline void worker_light_fence(void)
{
	if (likely(worker_membarrier))
		atomic_signal_fence(memory_order_seq_cst);
	else
		worker_full_fence();
}
void worker_heavy_fence(void);

/* What this turn reads of tables must not be read before the others can see its number: a fence a
 * turn, or none here and one for all from the kernel. Partner: worker_retire(). What the turn
 * before has read was read before (release; partner: is_safe() in worker.c). */
static inline void worker_turn_set(struct worker *w, uint64_t turn)
{
	if (likely(worker_membarrier)) {
		STORE_RELEASE(&w->turn, turn);
		atomic_signal_fence(memory_order_seq_cst);
	} else {
		atomic_exchange(&w->turn, turn);
	}
}
static inline void worker_turn_begin(struct worker *w)
{
	worker_turn_set(w, LOAD(&w->turn) + 1);
	w->depth++;
}
/* Inside one: that ends, and another begins. */
static inline void worker_turn_next(struct worker *w)
{
	worker_turn_set(w, LOAD(&w->turn) + 2);
}
static inline void worker_turn_end(struct worker *w)
{
	w->depth--;
	STORE_RELEASE(&w->turn, LOAD(&w->turn) + 1);    /* partner: is_safe() in worker.c */
}

/* The calling thread's record, inside a turn until worker_release(); for a thread that is no worker
 * the common one, locked as long. Nests. */
COLD struct worker *worker_acquire_slow(void);
COLD void           worker_release_slow(struct worker *w);

static inline struct worker *worker_acquire(void)
{
	struct worker *w = worker_self;

	if (unlikely(!w || !w->depth))
		return worker_acquire_slow();
	w->depth++;
	return w;
}
static inline void worker_release(struct worker *w)
{
	if (likely(w->depth > 1))
		w->depth--;
	else
		worker_release_slow(w);
}

/* fn(arg) when no worker can be inside what was reachable before this call. Not at once: at some
 * worker_reclaim(). Any thread that is no worker. */
void worker_retire(void (*fn)(void *arg), void *arg);
void worker_reclaim(void);              /* does what has become safe; does not wait */

#endif
