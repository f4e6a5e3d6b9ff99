/* SPDX-License-Identifier: MIT
 * thread.c - a home with a thread of its own, for one actor whose handlers may block.
 *
 * The thread is made when the actor is born and ends after it. What the home is made of stays, for
 * the next such actor: whoever sent it the last message may still be about to wake it, and what it
 * has counted counts. A handler that blocks keeps back what patches replace meanwhile, as any that
 * runs does; nobody else waits for it, but for the end of the node. */
#include "thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "log.h"
#include "ports.h"

enum { OWN_MAX = 128, HOME_NUMBERS = 256 };

struct own {
	struct home *home;
	struct own *next;               /* unused ones; under the lock */
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake;
};

static struct {
	pthread_mutex_t lock;
	struct own *unused, *all[OWN_MAX];
	int made;
	_Atomic int running;
	_Atomic(struct home *) loop;
	_Atomic bool is[HOME_NUMBERS];
} threads = { .lock = PTHREAD_MUTEX_INITIALIZER };

void core_set_loop(struct home *h)
{
	STORE_RELEASE(&threads.loop, h);
}

bool thread_is(uint8_t home)
{
	return LOAD(&threads.is[home]);
}

static void wake(void *arg)
{
	struct own *o = arg;

	pthread_mutex_lock(&o->lock);
	o->awake = true;
	pthread_cond_signal(&o->woken);
	pthread_mutex_unlock(&o->lock);
}

static void wait(struct own *o)
{
	pthread_mutex_lock(&o->lock);
	while (!o->awake)
		pthread_cond_wait(&o->woken, &o->lock);
	o->awake = false;
	pthread_mutex_unlock(&o->lock);
}

static void *live(void *arg)
{
	struct own *o = arg;
	bool ended = false;

	home_enter(o->home);
	while (!ended) {
		wait(o);
		while (!ended && home_run(o->home))
			ended = home_ended(o->home);
		ended = ended || home_ended(o->home);
	}
	home_leave(o->home);
	pthread_mutex_lock(&threads.lock);
	o->next = threads.unused;
	threads.unused = o;
	pthread_mutex_unlock(&threads.lock);
	atomic_fetch_sub(&threads.running, 1);
	return NULL;
}

/* Under the lock. NULL: there are too many. */
static struct own *own_new(void)
{
	struct own *o = threads.unused;
	char name[24];

	if (o) {
		threads.unused = o->next;
		return o;
	}
	if (threads.made == OWN_MAX)
		return NULL;
	o = mem_alloc(sizeof *o);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->woken, NULL);
	snprintf(name, sizeof name, "thread %d", threads.made);
	o->home = home_new(name, wake, o);
	if (!o->home) {
		mem_free(o);
		return NULL;
	}
	threads.all[threads.made++] = o;
	STORE(&threads.is[home_number(o->home)], true);
	return o;
}

static int run(struct own *o)
{
	sigset_t all, before;
	pthread_attr_t detached;
	pthread_t thread;
	int rc;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);    /* signals are the main thread's */
	atomic_fetch_add(&threads.running, 1);
	rc = pthread_create(&thread, &detached, live, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	if (rc)
		atomic_fetch_sub(&threads.running, 1);
	return rc;
}

static int own_thread(struct actor *a, struct why *why)
{
	struct own *o;
	int rc;

	pthread_mutex_lock(&threads.lock);
	o = own_new();
	rc = o ? run(o) : 0;
	if (rc) {
		o->next = threads.unused;
		threads.unused = o;
	}
	pthread_mutex_unlock(&threads.lock);
	if (!o)
		return why_set(why, ACTOR_ENOMEM,
		               "%s: %d actors have a thread of their own already", life_title(a),
		               OWN_MAX);
	if (rc)
		return why_set(why, ACTOR_ENOMEM, "%s: no thread for it: %s", life_title(a),
		               strerror(rc));
	a->home = home_number(o->home);
	return 0;
}

static int place(struct actor *a, struct why *why)
{
	struct home *loop = LOAD_ACQUIRE(&threads.loop);

	if (cell_type(a)->where == ACTOR_THREAD)
		return own_thread(a, why);
	if (!loop)
		return why_set(why, ACTOR_EFAIL, "%s: there is no I/O loop to run on",
		               life_title(a));
	a->home = home_number(loop);
	return 0;
}

void thread_init(void)
{
	life_place = place;
}

int thread_count(void)
{
	return atomic_load(&threads.running);
}

static void name_running(void)
{
	pthread_mutex_lock(&threads.lock);
	for (int i = 0; i < threads.made; i++) {
		const char *in = home_handler(threads.all[i]->home);

		if (in)
			log_line(LOG_ERROR, "node",
			         "thread %d does not come back from the handler %s: it is "
			         "left behind",
			         i, in);
	}
	pthread_mutex_unlock(&threads.lock);
}

bool thread_ended_all(int64_t until_ms)
{
	while (atomic_load(&threads.running)) {
		if (now_ms() >= until_ms) {
			name_running();
			return false;
		}
		ports.clock.wait_ms(ports.clock.arg, 1);
	}
	return true;
}
