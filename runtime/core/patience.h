/* SPDX-License-Identifier: MIT
 * patience.h - waits of a bounded length, for threads that may block.
 *
 * By the machine's clock that only goes forward, whatever clock the actors see: a node whose clock
 * is set, by hand or by NTP, waits as long as before. (pthread_cond_timedwait and
 * pthread_timedjoin_np go by the one that is set; pthread_clockjoin_np is a stranger to
 * ThreadSanitizer.) */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline struct timespec moment_in(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* As pthread_cond_wait, until a moment_in() at most. 0: woken; ETIMEDOUT. */
static inline int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                             const struct timespec *moment)
{
	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, moment);
}

/* Whether it has ended within so long; then it is joined. */
static inline bool join_within(pthread_t thread, int ms)
{
	const struct timespec a_while = { 0, 1000000 };

	for (; pthread_tryjoin_np(thread, NULL) == EBUSY; ms--) {
		if (ms <= 0)
			return false;
		nanosleep(&a_while, NULL);
	}
	return true;
}

#endif
