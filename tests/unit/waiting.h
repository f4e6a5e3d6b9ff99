/* SPDX-License-Identifier: MIT
 * waiting.h - what tests of a running pool wait by: a lock with a condition, a thread that turns
 * the timers, as the I/O loop does, and a loop for what no event tells of. */
#ifndef WAITING_H
#define WAITING_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "core.h"
#include "patience.h"

enum { UNTIL_S = 120 }; /* a loaded machine's, and a sanitizer's, patience */

/* Only in the test's own thread, as it fails. */
#define UNTIL(so)                                                                                  \
	do {                                                                                       \
		const struct timespec until_ = moment_in(UNTIL_S * 1000);                          \
                                                                                                   \
		while (!(so)) {                                                                    \
			if (moment_in(0).tv_sec > until_.tv_sec)                                   \
				fail_msg("after %d s it is not so: %s", UNTIL_S, #so);             \
			sched_yield();                                                             \
		}                                                                                  \
	} while (0)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static pthread_t timers_thread;
static _Atomic int stopping;

static void *turn_timers(void *arg)
{
	(void)arg;
	while (!stopping) {
		struct timespec ms = { 0, 1000000 };

		core_run_timers();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
	}
	return NULL;
}

static inline int pool_begin(const struct core_config *c)
{
	struct why why;

	if (core_start(c, &why) < 0)
		return -1;
	return pthread_create(&timers_thread, NULL, turn_timers, NULL);
}

static inline int pool_end(void)
{
	core_stop(5000);
	stopping = 1;
	return pthread_join(timers_thread, NULL);
}

#endif
