/* SPDX-License-Identifier: MIT
 * test_timer.c - the wheel: in order, never early, whatever the distance; and what a tick costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "seeded.h"
#include "timer.h"

enum { MANY = 1000000 };
static const int64_t YEAR = 365ll * 86400000;

/* Against what is known of each: taken when it is due, in order, and the others not. */
static void test_order(void **state)
{
	unsigned rounds = seeded_begin("order", 200);
	struct timers t;
	static struct timer x[500];

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		int64_t now = seeded(1000000), last = 0;
		int left = 0;

		timers_init(&t, now);
		memset(x, 0, sizeof x);
		for (int i = 0; i < 500; i++) {
			timer_set(&t, &x[i], now + (int64_t)(seeded_u64() % (1ull << seeded(40))));
			left++;
		}
		for (int i = 0; i < 500; i += 7) {
			timer_clear(&t, &x[i]);
			left--;
		}
		while (left) {
			struct timer *due;
			int64_t next = timers_next(&t);

			assert_true(next != INT64_MAX && next >= now);
			now = next + seeded(3) * (int64_t)seeded(1000);
			while ((due = timers_take(&t, now))) {
				assert_true(due->due_ms <= now && due->due_ms >= last);
				assert_int_not_equal((due - x) % 7, 0);
				last = due->due_ms;
				left--;
			}
			for (int i = 0; i < 500; i++)
				assert_true(!timer_is_set(&x[i]) || x[i].due_ms > now);
		}
		assert_true(timers_next(&t) == INT64_MAX);
	}
}

static void test_past(void **state)
{
	struct timer x = { .due_ms = 0 };
	struct timers t;

	(void)state;
	timers_init(&t, 5000);
	timer_set(&t, &x, -1);
	assert_null(timers_take(&t, 5000));
	assert_int_equal(timers_next(&t), 5001);
	assert_ptr_equal(timers_take(&t, 5001), &x);
}

/* Beyond the wheel's two years it comes round, is looked at, and comes when it is due. */
static void test_300_years(void **state)
{
	struct timer x = { .due_ms = 0 }, never = { .due_ms = 0 };
	int64_t now = 123456, due = now + 300 * YEAR + 17;
	struct timers t;

	(void)state;
	timers_init(&t, now);
	timer_set(&t, &x, due);
	timer_set(&t, &never, INT64_MAX);
	for (int looks = 0; now < due - 1; looks++) {
		assert_null(timers_take(&t, now));
		assert_true(looks < 100000);
		now = timers_next(&t) < due ? timers_next(&t) : due - 1;
	}
	assert_null(timers_take(&t, due - 1));
	assert_ptr_equal(timers_take(&t, due), &x);
	assert_null(timers_take(&t, due + 700 * YEAR));
}

/* What 1,000 ticks touch while `pending` timers wait for what lies beyond them, and one is
 * due in each tick. */
static uint64_t touched_by_ticks(int pending)
{
	static struct timer x[MANY], each;
	struct timers t;
	uint64_t before;

	memset(x, 0, sizeof x);
	memset(&each, 0, sizeof each);
	timers_init(&t, 0);
	for (int i = 0; i < pending; i++)
		timer_set(&t, &x[i], 4096 + (int64_t)(seeded_u64() % (30ull * 86400000)));
	before = t.touched;
	for (int64_t now = 1; now <= 1000; now++) {
		timer_set(&t, &each, now);
		assert_ptr_equal(timers_take(&t, now), &each);
		assert_null(timers_take(&t, now));
	}
	assert_int_equal(t.count, pending);
	return t.touched - before;
}

static void test_a_million_cost_no_more(void **state)
{
	uint64_t few, many;

	(void)state;
	seeded_begin("a million", 1);
	few = touched_by_ticks(1000);
	many = touched_by_ticks(MANY);
	print_message("1,000 ticks touched %lu timers with 1,000 pending, %lu with 1,000,000\n",
	              few, many);
	assert_int_equal(few, many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_past),
		cmocka_unit_test(test_300_years),
		cmocka_unit_test(test_a_million_cost_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
