/* SPDX-License-Identifier: MIT
 * test_times.c - how long handlers take: slow calls are all timed, fast ones stand for many. */
#include "running.h"

static int on_spin(actor *self, const msg *m)
{
	int64_t end = now_ns() + msg_int(m, 0) * 1000;

	(void)self;
	while (msg_int(m, 0) && now_ns() < end)
		;
	happened(0, "");
	return 0;
}

static const struct actor_type spinner = {.name = "spin", .on = ON({"spin", "us:int", on_spin, 0})};

static void keep(void *arg, const struct handler_info *h)
{
	*(struct handler_info *)arg = *h;
}

static uint64_t all(const struct handler_times *t)
{
	uint64_t n = 0;

	for (int i = 0; i < TIME_PLACES; i++)
		n += t->count[i];
	return n;
}

static void send(int calls, int us, struct handler_info *h, struct handler_times *t)
{
	int64_t before = events;

	for (int i = 0; i < calls; i++) {
		assert_int_equal(actor_send(NULL, actor_find("spin"), "spin", us), 0);
		if (i % 256 == 255 || i + 1 == calls)
			expect_events(before + i + 1);
	}
	core_handlers(core_type("spin"), keep, h);
	core_handler_times(h, t);
}

static void test_slow_calls(void **state)
{
	struct handler_times t;
	struct handler_info h;
	int64_t p50;

	(void)state;
	spawn(add(&spinner), "spin");
	send(50, 1000, &h, &t);
	assert_true(all(&t) >= 40);     /* the first few after fast ones may stand for each other */
	p50 = core_times_part(&t, 0.5);
	assert_true(p50 > 600000 && t.most_ns >= 1000000);
	assert_true(core_times_part(&t, 0.99) >= p50);
	assert_true(core_times_part(&t, 1) <= t.most_ns);
	assert_true(h.ns > 40 * 1000000ull);
}

static void test_fast_calls(void **state)
{
	struct handler_times was, t;
	struct handler_info before, h;

	(void)state;
	core_handlers(core_type("spin"), keep, &before);
	core_handler_times(&before, &was);
	send(200000, 0, &h, &t);
	assert_int_equal(h.calls - before.calls, 200000);
	/* What was timed stands for about as many as there were. */
	assert_true(all(&t) - all(&was) > 180000 && all(&t) - all(&was) < 210000);
}

static void test_none(void **state)
{
	struct handler_times t = { .most_ns = 0 };

	(void)state;
	assert_int_equal(core_times_part(&t, 0.99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_slow_calls, setup),
		cmocka_unit_test_setup(test_fast_calls, setup),
		cmocka_unit_test_setup(test_none, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
