/* SPDX-License-Identifier: MIT
 * test_rate.c - buckets fill and empty as they should; frames that wait are dropped whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../runtime/gateway/outgoing.h"
#include "../../runtime/gateway/rate.h"

enum { SECOND = 1000000000 };

static int taken(_Atomic int64_t *full, int rate, int64_t now, int tries)
{
	int n = 0;

	for (int i = 0; i < tries; i++)
		n += rate_take(full, rate, now);
	return n;
}

static void a_second_at_once_then_as_it_fills(void **state)
{
	_Atomic int64_t full = 0;
	int64_t now = INT64_C(5) * SECOND;

	(void)state;
	assert_int_equal(taken(&full, 100, now, 1000), 100);
	assert_int_equal(taken(&full, 100, now + SECOND / 10, 1000), 10);
	assert_int_equal(taken(&full, 100, now + INT64_C(100) * SECOND, 1000), 100);
	assert_int_equal(taken(&full, 0, now, 1000), 1000);
	full = 0;
	assert_int_equal(taken(&full, 1, now, 10), 1);
	assert_int_equal(taken(&full, 1, now + SECOND - 1, 10), 0);
	assert_int_equal(taken(&full, 1, now + SECOND, 10), 1);
}

static void debts_end(void **state)
{
	_Atomic int64_t full = 0;
	int64_t now = INT64_C(5) * SECOND;
	int n = 0;

	(void)state;
	for (; n < 100 && rate_has(&full, 2, 10, now); n++)
		rate_charge(&full, 2, 10, now);
	assert_int_equal(n, 10);
	for (; n < 1000; n++)
		rate_charge(&full, 2, 10, now);
	assert_false(rate_has(&full, 2, 10, now + INT64_C(5) * SECOND));
	assert_true(rate_has(&full, 2, 10, now + INT64_C(6) * SECOND));
	rate_charge(&full, 0, 0, now);
	assert_true(rate_has(&full, 0, 0, now));
}

static void addresses_are_kept_while_they_matter(void **state)
{
	struct addresses *all = addresses_new();
	struct address *a, *b;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	a = addresses_hold(all, fds[0]);
	b = addresses_hold(all, fds[1]);
	assert_ptr_equal(a, b);
	assert_int_equal(a->conns, 2);
	assert_true(rate_take(&a->full_ns, 1, 0));
	addresses_drop(all, a, 0);
	addresses_drop(all, a, 0);              /* its bucket is empty: not forgotten */
	a = addresses_hold(all, fds[0]);
	assert_false(rate_take(&a->full_ns, 1, 0));
	addresses_drop(all, a, 0);
	addresses_sweep(all, 2 * (int64_t)SECOND);
	a = addresses_hold(all, fds[0]);
	assert_true(rate_take(&a->full_ns, 1, 0));
	addresses_drop(all, a, 0);
	addresses_free(all);
	close(fds[0]);
	close(fds[1]);
}

static void the_oldest_go(void **state)
{
	struct outgoing o = { 0 };
	const char *frames;
	char text[100];

	(void)state;
	for (int i = 0; i < 10; i++) {
		memset(text, '0' + i, sizeof text);
		outgoing_add(&o, text, sizeof text, false);
	}
	assert_int_equal(outgoing_waiting(&o), 1020);
	outgoing_handed(&o, 102);
	assert_int_equal(outgoing_drop(&o, 305), 7);
	assert_int_equal(outgoing_next(&o, &frames), 204);
	assert_int_equal(frames[2], '8');
	assert_int_equal(outgoing_drop(&o, 0), 1);      /* never the newest */
	assert_int_equal(outgoing_next(&o, &frames), 102);
	assert_int_equal(frames[2], '9');
	outgoing_handed(&o, 102);
	outgoing_trim(&o);
	assert_int_equal(outgoing_next(&o, &frames), 0);
	outgoing_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_at_once_then_as_it_fills),
		cmocka_unit_test(debts_end),
		cmocka_unit_test(addresses_are_kept_while_they_matter),
		cmocka_unit_test(the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
