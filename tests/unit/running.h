/* SPDX-License-Identifier: MIT
 * running.h - a running pool for unit tests, and waiting for what happens in it. */
#ifndef RUNNING_H
#define RUNNING_H

#include <stdio.h>

#include "ports.h"
#include "waiting.h"

/* --- what the tests wait for ---------- */

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

static int group_setup(void **state)
{
	(void)state;
	return pool_begin(&(struct core_config){ .workers = 2 });
}

static int group_teardown(void **state)
{
	(void)state;
	return pool_end();
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
