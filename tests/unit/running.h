/* SPDX-License-Identifier: MIT
 * running.h - a running pool for unit tests, and waiting for what happens in it. */
#ifndef RUNNING_H
#define RUNNING_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "core.h"
#include "patience.h"
#include "ports.h"

/* --- what the tests wait for ---------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int64_t events, last;
static char last_text[512];

static void happened(int64_t value, const char *text)
{
	pthread_mutex_lock(&lock);
	events++;
	last = value;
	snprintf(last_text, sizeof last_text, "%s", text);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void expect_events(int64_t n)
{
	const struct timespec until = moment_in(20000);
	int rc = 0;

	pthread_mutex_lock(&lock);
	while (events < n && !rc)
		rc = wait_until(&changed, &lock, &until);
	pthread_mutex_unlock(&lock);
	assert_int_equal(events, n);
}

static int setup(void **state)
{
	(void)state;
	events = last = 0;
	*last_text = 0;
	return 0;
}

/* What the calling thread has computed: what else the machine does is not in it. */
static inline int64_t computed_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A thread that turns the timers, as the I/O loop does. */
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

static int group_setup(void **state)
{
	struct core_config c = { .workers = 2 };
	struct why why;

	(void)state;
	if (core_start(&c, &why) < 0)
		return -1;
	return pthread_create(&timers_thread, NULL, turn_timers, NULL);
}

static int group_teardown(void **state)
{
	(void)state;
	core_stop(5000);
	stopping = 1;
	return pthread_join(timers_thread, NULL);
}

static actor_id spawn(struct type *t, const char *name)
{
	struct spawn s = { .type = t, .name = name };
	struct why why = { "" };
	actor_id id = 0;

	if (core_spawn(&s, &id, &why) < 0)
		fail_msg("%s", why.text);
	return id;
}

static struct type *add(const struct actor_type *t)
{
	struct why why = { "" };
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		fail_msg("%s", why.text);
	return type;
}

#endif
