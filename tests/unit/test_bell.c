/* SPDX-License-Identifier: MIT
 * test_bell.c - who sleeps is woken, once, and never slept through what came; and how often a bell
 * waits for what does not come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/bell.h"

enum { RINGERS = 3, RINGS = 20000, GIVE_UP_MS = 120000 };

static struct bell bell;

/* How often the descriptor was written since it was last read. */
static unsigned written(void)
{
	eventfd_t n = 0;

	eventfd_read(bell.fd, &n);
	return (unsigned)n;
}

static void rung_once_until_it_is_heard(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		bell_ring(&bell);
		bell_ring(&bell);
		bell_ring(&bell);
		assert_int_equal(written(), 1);
		bell_ring(&bell);
		assert_int_equal(written(), 0);
		bell_heard(&bell);
	}
}

static void who_is_awake_is_not_rung_for(void **state)
{
	(void)state;
	bell_awake(&bell);
	bell_ring(&bell);
	assert_int_equal(written(), 0);
	bell_heard(&bell);
	bell_ring(&bell);
	assert_int_equal(written(), 1);
	bell_heard(&bell);
}

static _Atomic int made;

static void *make(void *arg)
{
	for (int i = 0; i < RINGS; i++) {
		atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
		bell_ring(&bell);
	}
	return arg;
}

/* The thread that is woken: it sleeps only when all that it saw was none behind bell_heard(). */
static void nothing_is_slept_through(void **state)
{
	pthread_t ringer[RINGERS];
	int seen = 0;

	(void)state;
	for (int i = 0; i < RINGERS; i++)
		pthread_create(&ringer[i], NULL, make, NULL);
	while (seen < RINGERS * RINGS) {
		struct pollfd p = { bell.fd, POLLIN, 0 };
		int before = seen;

		bell_heard(&bell);
		seen = atomic_load_explicit(&made, memory_order_relaxed);
		if (seen != before)
			continue;
		assert_int_equal(poll(&p, 1, GIVE_UP_MS), 1);
		written();
		bell_awake(&bell);
	}
	for (int i = 0; i < RINGERS; i++)
		pthread_join(ringer[i], NULL);
	bell_heard(&bell);
	written();
}

static void nobody_is_woken(void *arg)
{
	(void)arg;
}

/* A wait in vain is followed by 1, 3, 7 ... 63 times without one. */
static void what_does_not_come_is_waited_for_less_and_less(void **state)
{
	struct home *h = home_new("bell", nobody_is_woken, NULL);

	(void)state;
	assert_non_null(h);
	for (unsigned passed = 1, round = 0; round < 8; round++) {
		bell_await(&bell, h);
		assert_int_equal(bell.pass, passed);
		for (unsigned i = 0; i < passed; i++)
			bell_await(&bell, h);
		assert_int_equal(bell.pass, 0);
		passed = passed < 63 ? 2 * passed + 1 : 63;
	}
	home_free(h);
}

static int begin(void **state)
{
	struct core_config c = { .workers = 1 };
	struct why why = { "" };

	(void)state;
	return core_start(&c, &why) < 0 || bell_init(&bell) < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	core_stop(1000);
	bell_fini(&bell);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rung_once_until_it_is_heard),
		cmocka_unit_test(who_is_awake_is_not_rung_for),
		cmocka_unit_test(nothing_is_slept_through),
		cmocka_unit_test(what_does_not_come_is_waited_for_less_and_less),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
