/* SPDX-License-Identifier: MIT
 * bench_trace.c - what traces cost: beside any workload (--trace N), and by themselves: pairs that
 * pass a ball, whose handlers do nothing, or compute for a microsecond; with no trace, with one of
 * 1,000 messages in one, and with all, in turn, so that what else the machine does meets them
 * alike. While a trace is under way it is read as the node does for actorctl. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { PAUSE_NS = 100000000, PAIRS = 100, ROUNDS = 5, MODES = 3 };
static const int64_t every[MODES] = { 0, 1000, 1 };

/* --- a trace ------------------------------------------------------------------ */

struct tracing {
	int64_t every;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool begun, ends;
};

static void pass_over(void *arg, const struct trace_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
}

static void wait_change(struct tracing *t)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PAUSE_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

static void *trace(void *arg)
{
	struct tracing *t = arg;
	struct trace_query q = { .arg = -1, .value = "", .every = t->every, .most = INT64_MAX / 2 };
	struct trace_reader *reader;
	uint64_t n = 0;
	struct why why;
	int number = core_trace_begin(&q, &why);

	if (number < 0)
		bench_fail("%s", why.text);
	reader = core_trace_reader(core_trace_id(number));
	pthread_mutex_lock(&t->lock);
	t->begun = true;
	pthread_cond_broadcast(&t->changed);
	while (!t->ends) {
		wait_change(t);
		core_trace_look();
		core_trace_read(reader, pass_over, &n);
	}
	pthread_mutex_unlock(&t->lock);
	core_trace_end(number);
	core_trace_reader_free(reader);
	return NULL;
}

static void trace_begin(struct tracing *t, int64_t one_in)
{
	*t = (struct tracing){ .every = one_in, .lock = PTHREAD_MUTEX_INITIALIZER,
	                       .changed = PTHREAD_COND_INITIALIZER };
	if (pthread_create(&t->thread, NULL, trace, t))
		bench_fail("no thread");
	pthread_mutex_lock(&t->lock);
	while (!t->begun)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static void trace_end(struct tracing *t)
{
	pthread_mutex_lock(&t->lock);
	t->ends = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
}

void bench_trace(const struct bench_options *o)
{
	static struct tracing always;

	if (o->trace > 0)
		trace_begin(&always, o->trace);
}

/* --- what it costs ------------------------------------------------------------ */

struct passer { actor_ref peer; int64_t left; };

static actor_id passers[2 * PAIRS];
static _Atomic uint32_t playing;
static uint64_t turns_of_work;          /* of toil(); 0: the handlers do nothing */

/* Nothing but arithmetic, each step of which waits for the one before. */
static uint64_t toil(uint64_t turns)
{
	uint64_t x = turns;

	while (turns--) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

static int on_pass(actor *self, const msg *m)
{
	struct passer *p = actor_state(self);

	toil(turns_of_work);
	if (msg_count(m) == 2) {
		p->peer = (actor_ref)msg_int(m, 1);
		p->left = msg_int(m, 0);
	}
	if (p->left && --p->left == 0) {
		if (atomic_fetch_sub(&playing, 1) == 1)
			syscall(SYS_futex, &playing, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		return 0;
	}
	return actor_send(self, p->left ? p->peer : msg_from(m), "pass", p->left);
}

static const struct actor_type passer = {
	.name = "passer", .state = sizeof(struct passer),
	.on = ON({ "pass", "n:int to:int?", on_pass, 0 }),
};

/* ns of a worker's time that each of 2 * n messages a pair took. */
static double play(const struct bench_options *o, int64_t n)
{
	double began = bench_now();
	uint32_t left;

	atomic_store(&playing, PAIRS);
	for (int i = 0; i < PAIRS; i++)
		if (actor_send(NULL, passers[2 * i], "pass", n + 1, (int64_t)passers[2 * i + 1]))
			bench_fail("a send failed");
	while ((left = atomic_load(&playing)))
		syscall(SYS_futex, &playing, FUTEX_WAIT_PRIVATE, left, NULL, NULL, 0);
	return (bench_now() - began) * 1e9 * o->workers / (double)(2 * n * PAIRS);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Medians, ns a message; each mode once a round. */
static void measure(const struct bench_options *o, double median[MODES])
{
	double ns[MODES][ROUNDS], seconds = o->seconds / ROUNDS;
	int64_t n = (int64_t)(seconds * 1e9 * o->workers / play(o, 2000) / (2 * PAIRS)) + 1;
	struct tracing t;

	for (int round = 0; round < ROUNDS; round++)
		for (int mode = 0; mode < MODES; mode++) {
			if (every[mode])
				trace_begin(&t, every[mode]);
			ns[mode][round] = play(o, n);
			if (every[mode])
				trace_end(&t);
		}
	for (int mode = 0; mode < MODES; mode++) {
		qsort(ns[mode], ROUNDS, sizeof(double), by_size);
		median[mode] = ns[mode][ROUNDS / 2];
	}
}

static void tell(const struct bench_options *o, const char *name, const double ns[MODES])
{
	bench_print(name, (ns[2] / ns[0] - 1) * 100, "%", o,
	            "\"one_in_1000\":%.3f,\"off_ns\":%.1f,"
	            "\"one_in_1000_ns\":%.1f,\"all_ns\":%.1f",
	            (ns[1] / ns[0] - 1) * 100, ns[0], ns[1], ns[2]);
}

int bench_trace_cost(const struct bench_options *o)
{
	struct core_config c = { .workers = o->workers };
	double ns[MODES], began;
	struct spawn s;
	struct why why;

	if (core_start(&c, &why) < 0)
		bench_fail("%s", why.text);
	s = (struct spawn){ .type = core_add_type(&passer, NULL, NULL, &why) };
	for (int i = 0; i < 2 * PAIRS; i++)
		if (!s.type || core_spawn(&s, &passers[i], &why) < 0)
			bench_fail("%s", why.text);
	measure(o, ns);
	tell(o, "trace-empty", ns);
	began = bench_now();
	toil(10000000);
	turns_of_work = (uint64_t)(10000000 / ((bench_now() - began) * 1e6));
	measure(o, ns);
	tell(o, "trace", ns);
	return 0;
}
