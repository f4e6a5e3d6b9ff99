/* SPDX-License-Identifier: MIT
 * watch.c - the watch over the pool: a thread that ticks twice a millisecond while anything runs,
 * and every 2 ms where it met all workers parked, as it does with 5,000 messages a second.
 *
 * At each tick turns that are under way must end; it sees who has been in one turn since the last
 * tick, wakes a worker where a ring stands still, adds a spare where all are stuck in handlers and
 * work waits, and names a handler that computes too long: once, then at growing intervals. When all
 * workers have been parked for a tick, and no home is inside compiled code, it sleeps: to be woken
 * costs who wakes it more than a tick. */
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "contain.h"
#include "log.h"
#include "pool.h"
#include "ports.h"
#include "run.h"
#include "slice.h"

enum { TICK_US = 500, CALM_US = 2000 };
enum { NAME_AFTER_TICKS = 200 };         /* a tenth of a second in one handler */

static pthread_t thread;
static _Atomic bool stirred;            /* since the last tick */

void watch_stir(void)
{
	if (!LOAD(&stirred))
		STORE(&stirred, true);
	if (LOAD(&pool.watch_asleep) && atomic_exchange(&pool.watch_asleep, 0))
		queue_futex(&pool.watch_asleep, FUTEX_WAKE, 1);
}

/* Sleeps until a worker wakes. A worker leaves idle before it looks at watch_asleep; we say asleep
 * before we look at idle, both sequentially consistent: one sees the other. */
static void sleep_while_idle(void)
{
	atomic_store(&pool.watch_asleep, 1);
	while (atomic_load(&pool.idle) == (uint32_t)LOAD(&pool.threads) && !LOAD(&pool.stop) &&
	       LOAD(&pool.watch_asleep) && !contain_homes())
		queue_futex(&pool.watch_asleep, FUTEX_WAIT, 1);
	STORE(&pool.watch_asleep, 0);
}

static void name_stuck(struct pooler *p, uint32_t ticks)
{
	const char *in = LOAD(&p->w.handler);
	struct actor *a = LOAD(&p->w.actor);

	if (ticks < NAME_AFTER_TICKS || (p->named && ticks < 2 * p->named))
		return;
	p->named = ticks;
	log_line(LOG_WARN, "sched", "%s has been in %s.%s for %u ms", p->w.name,
		 a ? life_title(a) : "?", in ? in : "?", ticks * TICK_US / 1000);
}

/* Who did not park between two ticks computes. */
static void lengthen(struct pooler *p)
{
	bool busy = !LOAD(&p->parked);

	if (busy && p->seen_busy && !LOAD(&p->lengthy) && LOAD(&p->tid)) {
		STORE(&p->lengthy, true);
		slice_set(LOAD(&p->tid), SLICE_LONG_US);
	}
	p->seen_busy = busy;
}

/* True: it stands in one turn. */
static bool look_at(struct pooler *p)
{
	uint64_t turn = LOAD_ACQUIRE(&p->w.turn);
	uint32_t first = LOAD_ACQUIRE(&p->first), waiting = LOAD(&p->tail) - first;
	bool stuck = (turn & 1) && turn == p->seen_turn && !LOAD(&p->parked), slow;

	contain_watch(&p->w, now_ns());
	lengthen(p);
	p->seen_turn = turn;
	slow = waiting && first - p->seen_first < waiting;
	STORE(&p->slow, slow);
	if (slow && LOAD(&pool.idle) && !LOAD(&pool.searching))
		queue_wake();
	p->seen_first = first;
	if (!stuck || !LOAD(&p->stuck))
		STORE(&p->w.since_ns, stuck ? now_ns() - TICK_US * 1000 : 0);
	STORE(&p->stuck, stuck ? LOAD(&p->stuck) + 1 : 0);
	if (stuck)
		name_stuck(p, LOAD(&p->stuck));
	else
		p->named = 0;
	return stuck;
}

/* All are stuck and work waits: somebody else must do it. What cannot be had is tried again at each
 * tick, and said once. */
static void relieve(void)
{
	static bool refused;
	int threads = LOAD(&pool.threads);
	struct why why;

	if (!queue_waiting())
		return;
	if (LOAD(&pool.idle)) {
		queue_wake();
		return;
	}
	if (threads == pool.n + SPARES)
		return;
	if (pool_add(threads, &why) == 0) {
		refused = false;
	} else if (!refused) {
		refused = true;
		log_line(LOG_ERROR, "sched",
			 "all workers are inside handlers, and what waits has to wait on: %s; it "
			 "is tried again (see the limits on threads and memory)",
			 why.text);
	}
}

static bool all_parked(void)
{
	return LOAD(&pool.idle) == (uint32_t)LOAD(&pool.threads);
}

static void *watch(void *arg)
{
	unsigned tick_us = TICK_US;

	(void)arg;
	slice_prompt();
	while (!LOAD(&pool.stop)) {
		bool all_stuck = true;

		nanosleep(&(struct timespec){ 0, tick_us * 1000 }, NULL);
		COUNT_UP(&run_tick, 1);
		for (int i = 0; i < LOAD(&pool.threads); i++)
			all_stuck &= look_at(pool.worker[i]) || LOAD(&pool.worker[i]->parked);
		contain_watch_homes(now_ns());
		if (all_stuck)
			relieve();
		tick_us = all_parked() && !contain_homes() ? CALM_US : TICK_US;
		if (all_parked() && !LOAD(&stirred)) {
			sleep_while_idle();
			tick_us = TICK_US;
		}
		STORE(&stirred, false);
	}
	return NULL;
}

int watch_start(struct why *why)
{
	sigset_t all, before;
	int rc;

	contain_stir = watch_stir;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? why_set(why, ACTOR_ENOMEM, "cannot start the watch: %s", strerror(rc)) : 0;
}

void watch_stop(void)
{
	STORE(&pool.watch_asleep, 0);
	queue_futex(&pool.watch_asleep, FUTEX_WAKE, 1);
	pthread_join(thread, NULL);
}
