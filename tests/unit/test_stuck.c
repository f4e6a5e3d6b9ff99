/* SPDX-License-Identifier: MIT
 * test_stuck.c - children whose handlers do not come back: whoever waits for their end does so for
 * a while only, and their end, when it comes after all, does no harm. The clock is set ahead. */
#include "family.h"
#include "ports.h"

static _Atomic int64_t ahead_ns;
static struct clock_port real;

static int64_t ahead(void *arg)
{
	return real.mono_ns(arg) + ahead_ns;
}

/* Until somebody says so. Where the line stands. */
static int pass_until(const char *line, int from)
{
	int64_t until = real.mono_ns(NULL) + 20000000000;
	int at;

	do {
		struct timespec ms = { 0, 1000000 };

		/* ten times as fast, not more: those who end in time have to be able to */
		ahead_ns += 10000000;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
		pthread_mutex_lock(&lock);
		at = find(line, from);
		pthread_mutex_unlock(&lock);
	} while (at < 0 && real.mono_ns(NULL) < until);
	return expect_from(line, from);
}

static void be_stuck(const char *name)
{
	char line[80];

	pthread_mutex_lock(&gate);
	assert_int_equal(actor_send(NULL, actor_find(name), "block"), 0);
	snprintf(line, sizeof line, "%s blocks", name);
	expect(line);
}

static void come_back(void)
{
	pthread_mutex_unlock(&gate);
}

/* The others of its group start without it; it ends when it comes back, and its place is free. */
static void test_a_group_goes_on_without_it(void **state)
{
	int at;

	(void)state;
	three(ALL);
	be_stuck("b");
	actor_send(NULL, actor_find("a"), "fail");
	expect("c stops");
	assert_int_equal(count_of("a starts"), 1);
	at = pass_until("a starts", expect("c stops"));
	at = expect_from("c starts", at);
	assert_int_equal(count_of("b stops"), 0);
	come_back();
	expect_from("b stops", at);
	gone("b");
	actor_send(NULL, actor_find("top"), "bear", PLAIN, "b");
	expect_from("b starts", at);
	actor_send(NULL, actor_find("top"), "hit", 1);
	expect("top hits 1");
	assert_int_equal(count_of("top stops"), 0);
	put_away();
	assert_true(expect_from("b stops", expect("b stops") + 1) <
	            expect_from("c stops", expect("c stops") + 1));
}

/* Its parent ends without it, and it ends later, by itself. */
static void test_a_parent_ends_without_it(void **state)
{
	int at;

	(void)state;
	three(PLAIN);
	be_stuck("b");
	assert_int_equal(core_stop_actor(actor_find("top"), 0, NULL), 0);
	expect("c stops");
	assert_int_equal(count_of("a stops"), 0);
	at = pass_until("top stops", 0);
	assert_true(expect("a stops") < at);
	gone("top");
	assert_true(core_alive(actor_find("b")));
	come_back();
	expect_from("b stops", at);
	gone("b");
}

/* The parent of what is stuck has begun again meanwhile. */
static void test_its_parent_begins_again(void **state)
{
	int at;

	(void)state;
	three(PLAIN);
	be_stuck("b");
	actor_send(NULL, actor_find("top"), "fail");
	expect("c stops");
	at = pass_until("top starts", expect("c stops"));
	come_back();
	expect_from("b stops", at);
	gone("b");
	child(PLAIN, "b");
	put_away();
}

/* What waits is to be handled before, but not for ever. */
static void test_a_drain_has_an_end(void **state)
{
	struct core_totals before, after;

	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	be_stuck("a");
	core_totals(&before);
	for (int i = 0; i < 20; i++)
		actor_send(NULL, actor_find("a"), "hit", 1);
	actor_send(NULL, actor_find("top"), "drain", "a", 2000);
	actor_send(NULL, actor_find("top"), "tell_in", 2001);
	pass_until("top was told", 0);
	come_back();
	expect("a stops");
	gone("a");
	assert_int_equal(count_of("a hits 20"), 0);
	do      /* what it had not handled is dropped after its generation has ended */
		core_totals(&after);
	while (after.dead_letters == before.dead_letters);
	put_away();
}

static int all_setup(void **state)
{
	real = ports.clock;
	ports.clock.mono_ns = ahead;
	return group_setup(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_group_goes_on_without_it, setup),
		cmocka_unit_test_setup(test_a_parent_ends_without_it, setup),
		cmocka_unit_test_setup(test_its_parent_begins_again, setup),
		cmocka_unit_test_setup(test_a_drain_has_an_end, setup),
	};

	return cmocka_run_group_tests(tests, all_setup, group_teardown);
}
