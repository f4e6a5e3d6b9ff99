/* SPDX-License-Identifier: MIT
 * test_overload.c - ten times what a node can handle: its memory stays under a cap, and it goes on
 * handling nearly as much as it can. OVERLOAD_S: for so many seconds (1; `tools/test --long`: 600).
 *
 * Four receivers of messages of 1 KB, one for each thing to do when full, each handler computing
 * for a while. First there is always something to do, but never much: what is handled then is the
 * peak. Then two threads send ten times as much, and actors to the one that holds them.
 *
 * What must hold: the process has grown by no more than the mailboxes' limits add up to, and some
 * slack; every message is handled, refused or a dead letter; what is handled does not collapse. How
 * near it comes to the peak is said, by the clock and by the workers' own processor time, where it
 * matters less what else the machine does; seed/test_flood.c has it exactly, by turns. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "core.h"
#include "log.h"
#include "ports.h"

enum { KINDS = 4, THREADS = 2, WORKERS = 2, SOURCES = 4, TEXT = 1000, WORK = 4000, FEW = 64,
       TIMES = 10, MAILBOX = 4 << 20, SLACK = 16 << 20, LONG_S = 60, SLICE_MS = 20 };

static const char *const kind_name[KINDS] = { "refuse", "oldest", "newest", "hold" };
static _Atomic uint64_t handled, sent, refused;
static _Atomic int phase;                       /* 0: peak, 1: overload, 2: over */
static _Atomic uint64_t rate;                   /* messages a second that each thread sends */
static char text[TEXT + 1];

/* --- receivers, sources ------------------------------------------------------------------- */

static int take(actor *self, const msg *m)
{
	volatile unsigned sink = 0;

	(void)self;
	for (unsigned i = 0; i < WORK; i++)
		sink += (unsigned)msg_len(m, 0);
	handled += sink || !msg_len(m, 0);
	return 0;
}

#define TAKER(kind, what) { .name = kind, .on = ON({ "take", "text:str", take, 0 }), \
	.mailbox = { .messages = 32767, .bytes = MAILBOX, .full = what } }
static const struct actor_type takers[KINDS] = {
	TAKER("refuse", FULL_REFUSE), TAKER("oldest", FULL_DROP_OLDEST),
	TAKER("newest", FULL_DROP_NEWEST), TAKER("hold", FULL_HOLD),
};

/* One that sends as long as it is let. */
static int pour(actor *self, const msg *m)
{
	(void)m;
	for (int i = 0; i < 10 && phase == 1; i++)
		actor_send(self, actor_find("hold"), "take", text);
	return phase == 1 ? actor_send(self, actor_self(self), "pour") : 0;
}

static const struct actor_type source = { .name = "source", .on = ON({ "pour", "", pour, 0 }) };

/* --- threads that send -------------------------------------------------------------------- */

static int64_t cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Atomic int64_t senders_ns;              /* their processor time */

static void send_one(unsigned i)
{
	int rc = actor_send(NULL, actor_find(kind_name[i % KINDS]), "take", text);

	*(rc == 0 ? &sent : &refused) += 1;
}

/* So that there is always something to do: never more than a few wait. */
static void send_few(unsigned *i)
{
	struct core_totals t;

	core_counts(&t);
	for (uint32_t waiting = t.waiting; waiting < FEW * KINDS; waiting++)
		send_one((*i)++);
}

static void send_many(unsigned *i, int64_t *since)
{
	int64_t now = now_ns(), due = (now - *since) / 1000 * (int64_t)rate / 1000000;

	for (int64_t n = 0; n < due; n++)
		send_one((*i)++);
	if (due > 0)
		*since = now;
}

static void *send_all(void *arg)
{
	int64_t before = 0, since = now_ns();
	unsigned i = (unsigned)(uintptr_t)arg;

	while (phase < 2) {
		struct timespec pause = { 0, 200000 };
		int64_t now;

		if (phase == 1) {
			send_many(&i, &since);
		} else {
			send_few(&i);
			since = now_ns();
		}
		now = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
		senders_ns += now - before;
		before = now;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return NULL;
}

/* --- what is measured --------------------------------------------------------------------- */

static int64_t rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*s %ld", &pages), 1);
	fclose(f);
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

struct seen { double handled_s, handled_cpu_s, sent_s; int64_t rss; };

/* For so long. */
static struct seen look(int64_t ms)
{
	int64_t begun = now_ns(), cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - senders_ns, now = begun;
	uint64_t was = handled, tried = sent + refused;
	struct seen s = { .rss = 0 };

	while (now < begun + ms * 1000000) {
		struct timespec pause = { 0, SLICE_MS * 1000000 };

		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		s.rss = rss() > s.rss ? rss() : s.rss;
		now = now_ns();
	}
	cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - senders_ns - cpu;
	s.handled_s = (double)(handled - was) * 1e9 / (double)(now - begun);
	s.handled_cpu_s = (double)(handled - was) * 1e9 / (double)cpu;
	s.sent_s = (double)(sent + refused - tried) * 1e9 / (double)(now - begun);
	return s;
}

static void say(const char *what, const struct seen *s)
{
	print_message("%s: %.0f sent/s, %.0f handled/s, %.0f a second of the workers' time; RSS "
	              "%.1f MiB at most\n", what, s->sent_s, s->handled_s, s->handled_cpu_s,
	              (double)s->rss / (1 << 20));
}

static struct type *add(const struct actor_type *t)
{
	struct why why = { "" };
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		fail_msg("%s", why.text);
	return type;
}

static void spawn(struct type *type, const char *name)
{
	struct spawn s = { .type = type, .name = name };
	struct why why = { "" };
	actor_id id;

	if (core_spawn(&s, &id, &why) < 0)
		fail_msg("%s", why.text);
	if (!name)
		actor_send(NULL, id, "pour");
}

static void begin(pthread_t *thread)
{
	struct core_config c = { .workers = WORKERS };
	struct why why;

	log_set_level(LOG_NONE);
	memset(text, 'x', TEXT);
	assert_int_equal(core_start(&c, &why), 0);
	for (int i = 0; i < KINDS; i++)
		spawn(add(&takers[i]), kind_name[i]);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, send_all, (void *)i), 0);
}

static void overload(void)
{
	struct type *type = add(&source);

	phase = 1;
	for (int i = 0; i < SOURCES; i++)
		spawn(type, NULL);
}

static void finish(pthread_t *thread)
{
	struct core_totals t;

	phase = 2;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	while (!core_drain(100))
		;
	core_totals(&t);
	assert_int_equal(t.sent, t.handled + t.dead_letters);
	assert_true(core_stop(20000));
	print_message("%llu sent, %llu handled, %llu refused, %llu dead letters\n",
	              (unsigned long long)t.sent, (unsigned long long)t.handled,
	              (unsigned long long)t.refused, (unsigned long long)t.dead_letters);
}

static void test_ten_times_too_much(void **state)
{
	const char *seconds = getenv("OVERLOAD_S");
	int64_t s = seconds ? strtoll(seconds, NULL, 10) : 1, before;
	struct seen peak, over;
	pthread_t thread[THREADS];

	(void)state;
	begin(thread);
	peak = look(s >= LONG_S ? 10000 : 500);
	before = rss();
	rate = (uint64_t)(peak.handled_s * TIMES / THREADS);
	overload();
	over = look(s * 1000);
	finish(thread);
	say("peak", &peak);
	say("overload", &over);
	print_message("%.1f times as much was sent; %.0f %% of the peak was handled, %.0f %% a "
	              "second of the workers' time; %.1f MiB more\n",
	              over.sent_s / peak.handled_s, 100 * over.handled_s / peak.handled_s,
	              100 * over.handled_cpu_s / peak.handled_cpu_s,
	              (double)(over.rss - before) / (1 << 20));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* FULL_DROP_OLDEST has room for twice as much, until its owner looks. */
	assert_true(over.rss - before < (KINDS + 1) * MAILBOX * 5 / 4 + SLACK);
#endif
	if (s >= LONG_S)
		assert_true(over.handled_cpu_s >= 0.8 * peak.handled_cpu_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ten_times_too_much) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
