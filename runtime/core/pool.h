/* SPDX-License-Identifier: MIT
 * pool.h - the pool's workers, as their parts see them: queue.c holds what is ready, pool.c runs
 * it, watch.c looks after it, sched.c starts and stops.
 *
 * Each worker has a place for the actor to run next (what the running one has just woken: a pair
 * that talks stays on one core, with warm caches) and a ring for the rest; what overflows it,
 * and what comes from outside, goes through a list that all share. */
#ifndef POOL_H
#define POOL_H

#include <assert.h>
#include <pthread.h>

#include "life.h"

enum { RING = 256, WORKERS_POOL_MAX = 64, SPARES = 8, THREADS_MAX = WORKERS_POOL_MAX + SPARES };

struct sample { uint32_t first; bool has; uint64_t at; };

struct pooler {
	struct worker w;                                /* first */
	/* Owner writes; a hijacker too, when the owner is not at it: see queue.c. */
	_Alignas(128) _Atomic uint32_t next;            /* cell index, 0: none */
	_Atomic uint32_t own, hijacked;
	_Atomic uint32_t tail;
	_Alignas(128) _Atomic uint32_t first;           /* thieves and owner: CAS */
	_Atomic uint32_t ring[RING];
	_Alignas(128) _Atomic uint32_t parked;          /* futex */
	/* watch: ticks that the turn under way has lasted */
	_Atomic uint32_t stuck;
	/* watch, and who has stolen from it: its ring's last would wait longer than a tick */
	_Atomic bool slow;
	/* its slice is long: the watch saw it busy, it has not parked since; see slice.h */
	_Atomic bool lengthy;
	_Atomic pid_t tid;                              /* 0: not known yet */
	/* The watch's. */
	uint64_t seen_turn;
	bool seen_busy;
	uint32_t seen_first;
	/* stuck when it was last named in the log */
	uint32_t named;
	/* The owner's. */
	/* turns in a row out of `next` that are left */
	_Alignas(128) uint32_t slice;
	uint32_t rounds, wake_tick, shared_tick;
	uint32_t looks;                                 /* before it parks */
	uint64_t many_turn;                             /* see many() in queue.c */
	struct sample samples[THREADS_MAX];             /* how others' rings move, see queue.c */
	pthread_t thread;
	int number;
};

struct pool {
	struct pooler *worker[THREADS_MAX];             /* published by threads */
	int n;                                          /* wanted */
	_Atomic int threads;                            /* n, and spares that were added */
	_Alignas(128) _Atomic uint32_t idle;            /* parked, or about to */
	_Atomic uint32_t searching, stop;
	_Atomic uint32_t watch_asleep;                  /* futex */
	spinlock lock;                                  /* of the shared list */
	uint32_t first, last;
	_Atomic uint32_t shared;                        /* how many are in it */
};
extern struct pool pool;

/* Debug builds hold cell.h's invariant 1, where a is made ready and where it is taken: it is an
 * actor, somebody's, and in one queue or run by one thread. Its link says which while no list has
 * it. Relaxed: what TSan is to see is not ordered by that. */
enum { LINK_READY = 0xffffffff, LINK_RUNS = 0xfffffffe };
static inline void pool_check(struct actor *a, uint32_t now)
{
#ifndef NDEBUG
	uint32_t top = HEAD_TOP(LOAD(&a->head));
	uint32_t was = atomic_exchange_explicit(&a->link, now, memory_order_relaxed);

	assert(cell_index(a) && cell_type(a));
	assert(top != TOP_IDLE && top != TOP_DEAD && !LOAD(&a->parked));
	assert(was != now);
#else
	(void)a;
	(void)now;
#endif
}

/* queue.c */
void          queue_ready(struct worker *w, struct actor *a);   /* post_ready of pool actors */
/* its turn is over, it has more to do */
void          queue_again(struct pooler *p, struct actor *a);
/* not out of next, or not again: ring and shared have a turn; NULL */
struct actor *queue_other(struct pooler *p);
struct actor *queue_steal(struct pooler *p);
bool          queue_waiting(void);      /* work that somebody could take now */
bool          queue_urgent(void);       /* such that cannot wait for the watch */
void          queue_wake(void);          /* one parked worker, if nobody searches */
long          queue_futex(_Atomic uint32_t *word, int op, uint32_t v);

/* The next place, by its owner: see queue.c. */
static inline uint32_t queue_swap(struct pooler *p, uint32_t with)
{
	uint32_t was;

	STORE(&p->own, 1);
	worker_light_fence();                           /* partner: the heavy one in hijack() */
	while (unlikely(LOAD_ACQUIRE(&p->hijacked)))
		__builtin_ia32_pause();
	was = LOAD(&p->next);
	STORE(&p->next, with);
	STORE_RELEASE(&p->own, 0);
	return was;
}

static inline struct actor *queue_next(struct pooler *p)
{
	uint32_t i = LOAD(&p->next) ? queue_swap(p, 0) : 0;

	return i ? cell_at(i) : NULL;
}

/* pool.c */
int  pool_add(int number, struct why *why);     /* a thread that works */

/* watch.c */
int  watch_start(struct why *why);
void watch_stop(void);
void watch_stir(void);                  /* a worker has woken: the watch must, too */

#endif
