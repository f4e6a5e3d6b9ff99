/* SPDX-License-Identifier: MIT
 * sync.h - atomics by the order they have, and a lock for a few instructions. */
#ifndef SYNC_H
#define SYNC_H

#include <sched.h>
#include <stdatomic.h>

#define LOAD(p)          atomic_load_explicit(p, memory_order_relaxed)
#define LOAD_ACQUIRE(p)  atomic_load_explicit(p, memory_order_acquire)
#define STORE(p, v)      atomic_store_explicit(p, v, memory_order_relaxed)
#define STORE_RELEASE(p, v) atomic_store_explicit(p, v, memory_order_release)
/* A failed one has loaded *expected anew; it may fail for no reason: loop. */
#define CAS(p, expected, v) atomic_compare_exchange_weak_explicit(p, expected, v, \
	memory_order_acq_rel, memory_order_acquire)
/* A counter with one writer, read by others: no locked instruction. */
#define COUNT_UP(p, n)   STORE(p, LOAD(p) + (n))

typedef _Atomic uint32_t spinlock;

static inline void spin_lock(spinlock *l)
{
	for (int i = 0; atomic_exchange_explicit(l, 1, memory_order_acquire); i++)
		while (LOAD(l)) {
			if (++i > 100)
				sched_yield();
			else
				__builtin_ia32_pause();
		}
}

static inline void spin_unlock(spinlock *l)
{
	STORE_RELEASE(l, 0);
}

#endif
