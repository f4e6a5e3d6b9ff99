/* SPDX-License-Identifier: MIT
 * worker.c - the list of workers, and reclamation. */
#include "worker.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __has_feature
#define TSAN_CLANG __has_feature(thread_sanitizer)
#else
#define TSAN_CLANG 0
#endif

enum { CALLS_FIRST = 256 };

bool worker_membarrier;
_Atomic uint32_t worker_fence_word;
_Thread_local struct worker *worker_self;

static _Atomic(struct worker *) workers[WORKERS_MAX];
static _Atomic uint32_t count;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

/* Threads that are no workers send and spawn through this one, one at a time. */
static struct worker outside;
static pthread_mutex_t outside_lock = PTHREAD_MUTEX_INITIALIZER;

static void choose_fence(void);

static void count_up_to(struct worker *w, uint32_t n)
{
	struct call_counts *was = LOAD(&w->calls),
			   *all = mem_alloc(sizeof *all + n * sizeof *all->of);

	if (was)
		memcpy(all->of, was->of, was->n * sizeof *was->of);
	all->n = n;
	all->before = was;
	STORE_RELEASE(&w->calls, all);          /* partner: worker_counted() */
}

COLD struct call_count *worker_count_slow(struct worker *w, uint32_t slot)
{
	uint32_t n = LOAD(&w->calls)->n;

	while (n <= slot)
		n *= 2;
	count_up_to(w, n);
	return &LOAD(&w->calls)->of[slot];
}

static void init(struct worker *w, const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_fence);
	snprintf(w->name, sizeof w->name, "%s", name);
	w->sample_left = w->sample_every = 1;
	if (!LOAD(&w->calls))
		count_up_to(w, CALLS_FIRST);
}

void worker_add(struct worker *w, const char *name)
{
	uint32_t i = 0;

	init(w, name);
	pthread_mutex_lock(&list_lock);
	while (i < LOAD(&count) && LOAD(&workers[i]))
		i++;
	if (i < WORKERS_MAX) {
		STORE_RELEASE(&workers[i], w);
		if (i == LOAD(&count))
			STORE_RELEASE(&count, i + 1);
	}
	pthread_mutex_unlock(&list_lock);
}

void worker_clock(struct worker *w)
{
	clockid_t id;

	if (pthread_getcpuclockid(pthread_self(), &id) == 0)
		STORE(&w->cpu_clock, (int)id);
}

int64_t worker_cpu_ns(struct worker *w)
{
	int id = LOAD(&w->cpu_clock);
	struct timespec t;

	if (!id || clock_gettime((clockid_t)id, &t) != 0)
		return 0;
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Locked. */
static struct worker *outside_worker(void)
{
	pthread_mutex_lock(&outside_lock);
	if (!*outside.name)
		worker_add(&outside, "outside");
	return &outside;
}

static void leave_calls(struct worker *w, struct worker *to)
{
	struct call_counts *all = atomic_exchange(&w->calls, NULL), *last = all;

	for (uint32_t i = 0; i < all->n; i++) {
		struct call_count *from = &all->of[i], *sum = worker_count_of(to, i);

		COUNT_UP(&sum->calls, LOAD(&from->calls));
		COUNT_UP(&sum->failures, LOAD(&from->failures));
		COUNT_UP(&sum->ns, LOAD(&from->ns));
	}
	while (last->before)
		last = last->before;
	last->before = LOAD(&to->calls)->before;
	LOAD(&to->calls)->before = all;
}

/* Totals are the node's: they do not shrink when a thread ends. What others look at is kept. */
static void leave_counts(struct worker *w)
{
	struct worker *to = outside_worker();
	void **last = &to->owned;

	while (*last)
		last = *last;
	*last = w->owned;
	w->owned = NULL;

	COUNT_UP(&to->sent, LOAD(&w->sent));
	COUNT_UP(&to->handled, LOAD(&w->handled));
	COUNT_UP(&to->failed, LOAD(&w->failed));
	COUNT_UP(&to->dead, LOAD(&w->dead));
	COUNT_UP(&to->refused, LOAD(&w->refused));
	COUNT_UP(&to->late, LOAD(&w->late));
	COUNT_UP(&to->expired, LOAD(&w->expired));
	COUNT_UP(&to->faults, LOAD(&w->faults));
	COUNT_UP(&to->spoilt, LOAD(&w->spoilt));
	COUNT_UP(&to->living, LOAD(&w->living));
	leave_calls(w, to);
	pthread_mutex_unlock(&outside_lock);
}

void worker_remove(struct worker *w)
{
	leave_counts(w);
	cell_pool_empty(&w->cells);
	pthread_mutex_lock(&list_lock);
	for (uint32_t i = 0; i < LOAD(&count); i++)
		if (LOAD(&workers[i]) == w)
			STORE_RELEASE(&workers[i], NULL);
	pthread_mutex_unlock(&list_lock);
}

uint32_t worker_count(void)
{
	return LOAD_ACQUIRE(&count);
}

struct worker *worker_at(uint32_t i)
{
	return LOAD_ACQUIRE(&workers[i]);
}

COLD struct worker *worker_acquire_slow(void)
{
	struct worker *w = worker_self;

	if (unlikely(!w))
		w = outside_worker();
	worker_turn_begin(w);
	return w;
}

COLD void worker_release_slow(struct worker *w)
{
	worker_turn_end(w);
	if (unlikely(w == &outside))
		pthread_mutex_unlock(&outside_lock);
}

/* --- reclamation -------------------------------------------------------------------------- */

struct retired {
	struct retired *next;
	void (*fn)(void *);
	void *arg;
	/* odd: what that worker must have left; even: it held nothing */
	uint64_t turn[WORKERS_MAX];
};

void worker_heavy_fence(void)
{
	if (worker_membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	atomic_fetch_add(&worker_fence_word, 1);
}

/* Before the first worker: TSan does not see what the kernel orders. */
static void choose_fence(void)
{
#if !defined(__SANITIZE_THREAD__) && !TSAN_CLANG
	worker_membarrier =
		!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
#endif
}

static struct retired *retired;
static pthread_mutex_t retired_lock = PTHREAD_MUTEX_INITIALIZER;

void worker_retire(void (*fn)(void *), void *arg)
{
	struct retired *r = mem_alloc(sizeof *r);

	r->fn = fn;
	r->arg = arg;
	/* What the caller unlinked is unlinked for everybody who begins a turn after this. Partner:
	 * the light fence, or the exchange, in worker_turn_begin(). */
	worker_heavy_fence();
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		r->turn[i] = w ? LOAD_ACQUIRE(&w->turn) : 0;
	}
	pthread_mutex_lock(&retired_lock);
	r->next = retired;
	retired = r;
	pthread_mutex_unlock(&retired_lock);
	worker_reclaim();
}

static bool is_safe(const struct retired *r)
{
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);

		if (w && (r->turn[i] & 1) && LOAD_ACQUIRE(&w->turn) == r->turn[i])
			return false;
	}
	return true;
}

void worker_reclaim(void)
{
	struct retired *ready = NULL, **at = &retired, *r;

	pthread_mutex_lock(&retired_lock);
	while ((r = *at)) {
		if (is_safe(r)) {
			*at = r->next;
			r->next = ready;
			ready = r;
		} else {
			at = &r->next;
		}
	}
	pthread_mutex_unlock(&retired_lock);
	while ((r = ready)) {
		ready = r->next;
		r->fn(r->arg);
		mem_free(r);
	}
}
