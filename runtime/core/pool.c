/* SPDX-License-Identifier: MIT
 * pool.c - a worker: finds something ready, gives it a turn, and parks when there is nothing.
 *
 * Parking: a worker says that it is parked, then looks again for work; who adds work looks for the
 * parked after adding it. A heavy fence on the one side and light ones on the other make sure that
 * one sees the other, but where all others are parked, too, so that nobody is adding work with a
 * light one. Work that only lies in a moving ring is not urgent: the watch wakes somebody if it
 * stops moving. */
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "pool.h"
#include "run.h"
#include "slice.h"

enum { LOOKS_MOST = 20, LOOKS_LEAST = 1, PAUSES = 60, NAP_CYCLES = 100000 };

static bool park(struct pooler *p)
{
	if (LOAD(&p->lengthy)) {
		STORE(&p->lengthy, false);
		slice_set(0, SLICE_PROMPT_US);
	}
	STORE(&p->parked, 1);
	atomic_fetch_add(&pool.idle, 1);
	atomic_fetch_sub(&pool.searching, 1);
	/* Partner: the light one in queue.c, work_added(). The last one awake has no such partner:
	 * who wakes takes itself out of idle, later than this looks at it, before it adds anything,
	 * and so sees that this one is idle and searches no more. idle was counted, fully fenced,
	 * before threads is read, and a spare is published before it runs. (With a few messages a
	 * millisecond that is the usual case, and the kernel's fence, an interrupt for whoever is
	 * at work, took 10 us of two threads each time.) */
	if (atomic_load(&pool.idle) != (uint32_t)LOAD(&pool.threads))
		worker_heavy_fence();
	if (LOAD(&pool.stop))
		return false;
	if (queue_urgent() && atomic_exchange(&p->parked, 0))
		atomic_fetch_add(&pool.searching, 1);
	else
		while (LOAD_ACQUIRE(&p->parked))        /* a searcher now; partner: wake() */
			queue_futex(&p->parked, FUTEX_WAIT, 1);
	atomic_fetch_sub(&pool.idle, 1);
	watch_stir();
	return !LOAD(&pool.stop);
}

/* About 30 us at most, some times what parking costs: with 200 looks a worker that had 5,000
 * messages a second looked for two thirds of its time (actor-bench ws-echo, mostly idle), and took
 * that from the gateway where there are few processors. */
static struct actor *look(struct pooler *p)
{
	struct actor *a = queue_steal(p);

	for (uint32_t i = 1; !a && i < p->looks; i++) {
		for (int k = 0; k < PAUSES; k++)
			__builtin_ia32_pause();
		a = queue_steal(p);
	}
	return a;
}

/* How long it pays to look before parking is learnt from when there was work again: longer after
 * what the longest look would have met, shorter after all else, so that a node that has little to
 * do parks at once. (That it finds something once it was woken tells nothing.) */
static void learn(struct pooler *p, uint64_t idle_cycles)
{
	if (idle_cycles < NAP_CYCLES)
		p->looks = p->looks * 2 < LOOKS_MOST ? p->looks * 2 : LOOKS_MOST;
	else
		p->looks = p->looks / 2 > LOOKS_LEAST ? p->looks / 2 : LOOKS_LEAST;
}

/* NULL: the pool stops. */
static COLD struct actor *search(struct pooler *p)
{
	struct actor *a;
	uint64_t since;

	atomic_fetch_add(&pool.searching, 1);
	for (since = __rdtsc(); !(a = look(p)) && park(p); since = __rdtsc())
		learn(p, __rdtsc() - since);
	if (a && atomic_fetch_sub(&pool.searching, 1) == 1 && LOAD(&pool.idle) && queue_waiting())
		queue_wake();
	return a;
}

static void *work(void *arg)
{
	struct pooler *p = arg;

	worker_self = &p->w;
	worker_clock(&p->w);
	slice_prompt();
	STORE(&p->tid, (pid_t)syscall(SYS_gettid));
	worker_turn_begin(&p->w);
	while (likely(!LOAD(&pool.stop))) {
		struct actor *a = NULL;

		if (likely(p->slice)) {         /* a pair that talks does so for a while */
			p->slice--;
			a = queue_next(p);
		}
		if (!a)
			a = queue_other(p);
		if (unlikely(!a)) {
			run_rest(&p->w);
			a = search(p);
			worker_turn_begin(&p->w);
			if (!a)
				break;
		}
		worker_turn_next(&p->w);
		pool_check(a, LINK_RUNS);
		if (run_turn(&p->w, a)) {
			pool_check(a, LINK_READY);
			queue_again(p, a);
		}
	}
	run_rest(&p->w);
	return NULL;
}

/* Where its thread could not be made the record stays, for the next attempt: others may have seen
 * it meanwhile. */
static struct pooler *record(int number)
{
	struct pooler *p = pool.worker[number];
	char name[24];

	if (p)
		return p;
	p = aligned_alloc(128, sizeof *p);
	memset(p, 0, sizeof *p);
	p->number = number;
	p->looks = LOOKS_LEAST;
	p->w.pooled = true;
	snprintf(name, sizeof name, number < pool.n ? "worker %d" : "spare %d", number);
	worker_add(&p->w, name);
	pool.worker[number] = p;
	return p;
}

int pool_add(int number, struct why *why)
{
	struct pooler *p = record(number);
	sigset_t all, before;
	int rc;

	STORE_RELEASE(&pool.threads, number + 1);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);    /* signals are the main thread's */
	rc = pthread_create(&p->thread, NULL, work, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		return 0;
	STORE_RELEASE(&pool.threads, number);
	return why_set(why, ACTOR_ENOMEM, "cannot start %s: %s", p->w.name, strerror(rc));
}
