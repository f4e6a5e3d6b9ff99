/* SPDX-License-Identifier: MIT
 * tray.c - a bounded list of jobs behind a lock, and the condition that its reader waits for.
 *
 * Threads: one takes; any put and wake. Who wakes finds the lock open: it signals outside. */
#include "tray.h"

#include <pthread.h>

#include "patience.h"
#include "ports.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct jobs waiting;
static bool closed, ended, awake;
static int64_t woken_ns;        /* first, since that was asked last; 0: not */

void tray_open(void)
{
	pthread_mutex_lock(&lock);
	closed = ended = awake = false;
	pthread_mutex_unlock(&lock);
}

static bool only_reads(const struct job *j)
{
	return j->kind == LIST || j->kind == SHOW || j->kind == LOG || j->kind == VERIFY;
}

int tray_put(struct job *j)
{
	int rc;

	pthread_mutex_lock(&lock);
	if (ended || (closed && !only_reads(j)))
		rc = ACTOR_EFAIL;
	else
		rc = waiting.n >= TRAY_MOST ? ACTOR_EFULL : 0;
	if (!rc)
		jobs_push(&waiting, j);
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
	return rc;
}

void tray_put_first(struct job *j)
{
	pthread_mutex_lock(&lock);
	jobs_push_first(&waiting, j);
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
}

void tray_wake(void)
{
	pthread_mutex_lock(&lock);
	awake = true;
	woken_ns = woken_ns ? woken_ns : now_ns();
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
}

int64_t tray_woken_ns(void)
{
	int64_t ns;

	pthread_mutex_lock(&lock);
	ns = woken_ns;
	woken_ns = 0;
	pthread_mutex_unlock(&lock);
	return ns;
}

void tray_close(void)
{
	pthread_mutex_lock(&lock);
	closed = true;
	pthread_mutex_unlock(&lock);
}

void tray_end(void)
{
	pthread_mutex_lock(&lock);
	closed = ended = true;
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
}

bool tray_wait(int64_t ms)
{
	const struct timespec until = moment_in(ms);
	bool there;
	int rc = 0;

	pthread_mutex_lock(&lock);
	while (!(there = waiting.first || ended || awake) && rc != ETIMEDOUT)
		rc = ms < 0 ? pthread_cond_wait(&more, &lock)
			    : wait_until(&more, &lock, &until);
	awake = false;
	pthread_mutex_unlock(&lock);
	return there;
}

struct job *tray_take(bool *none)
{
	struct job *j;

	pthread_mutex_lock(&lock);
	j = jobs_pop(&waiting);
	*none = !j && ended;
	pthread_mutex_unlock(&lock);
	return j;
}
