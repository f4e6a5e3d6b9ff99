/* SPDX-License-Identifier: MIT
 * test_supervise.c - failures, restarts, strategies, how often is too often; in a running pool. */
#include "family.h"
#include "ports.h"

/* --- restarts ---------- */

static void test_a_failure_begins_again_with_the_same_name(void **state)
{
	actor_ref t = top(PLAIN), a = child(PLAIN, "a");
	struct actor_info info;
	int at;

	(void)state;
	assert_int_equal(actor_send(NULL, a, "hit", 5), 0);
	expect("a hits 5");
	assert_int_equal(actor_send(NULL, a, "fail"), 0);
	at = expect("a stops");
	at = expect_from("a starts", at);
	assert_int_equal(actor_send(NULL, a, "hit", 2), 0);
	expect_from("a hits 2", at);
	assert_int_equal(core_inspect(a, &info), 0);
	assert_int_equal(info.restarts, 1);
	assert_true(info.parent != 0);
	assert_int_equal(actor_send(NULL, a, "parent"), 0);
	expect("a has parent top");
	assert_int_equal(count_of("top stops"), 0);
	(void)t;
	put_away();
	assert_false(core_alive(a));
}

static void test_a_refusal_is_no_failure(void **state)
{
	struct core_totals before, after;

	(void)state;
	top(PLAIN);
	core_totals(&before);
	assert_int_equal(actor_send(NULL, actor_find("top"), "hit", 3), 0);
	assert_int_equal(actor_send(NULL, actor_find("top"), "refuse"), 0);
	assert_int_equal(actor_send(NULL, actor_find("top"), "hit", 4), 0);
	expect("top hits 7");
	core_totals(&after);
	assert_int_equal(after.dead_letters, before.dead_letters + 1);
	assert_int_equal(count_of("top stops"), 0);
	put_away();
}

/* As a client's session that has just left. */
static void test_that_somebody_else_is_gone_is_no_failure(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	for (int i = 0; i < 20; i++)
		assert_int_equal(actor_send(NULL, actor_find("a"), "in_vain"), 0);
	assert_int_equal(actor_send(NULL, actor_find("a"), "hit", 1), 0);
	expect("a hits 1");
	assert_int_equal(count_of("a stops"), 0);
	assert_int_equal(actor_send(NULL, actor_find("a"), "fail_like_it"), 0);
	expect("a stops");
	put_away();
}

static void test_a_failure_of_an_ask_is_the_askers(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("top"), "ask", "a", "fail");
	expect("top was answered -5");
	actor_send(NULL, actor_find("a"), "hit", 1);
	expect("a hits 1");
	assert_int_equal(count_of("a stops"), 0);
	put_away();
}

static void test_what_waits_outlives_the_restart(void **state)
{
	int at;

	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("top"), "burst", "a", 100);
	expect("a hits 100");
	at = expect("a stops");
	at = expect_from("a starts", at);
	expect_from("a hits 100", at);
	put_away();
}

static void find_letter(void *arg, const struct dead_letter *d)
{
	bool *found = arg;
	struct packed in = d->args;
	struct value v;

	*found = *found || (!strcmp(d->actor, "a") && !strcmp(d->handler, "tell_all") &&
	                    d->count == 2 && strstr(d->reason, "EFAIL") &&
	                    packed_next(&in, &v) == 1 && v.i == 7 && d->wall_ms);
}

static int tell_all(actor *self, const msg *m)
{
	(void)self;
	return msg_count(m) == 2 ? ACTOR_EFAIL : 0;
}

static const struct actor_type teller = { .name = "teller",
	                                  .on = ON({ "tell_all", "...", tell_all, 0 }),
	                                  .start = start };

static void test_the_message_it_failed_at_is_a_dead_letter(void **state)
{
	bool found = false;
	int at;

	(void)state;
	assert_true(actor_spawn(NULL, &teller, "a") != 0);
	at = expect("a starts");
	actor_send(NULL, actor_find("a"), "tell_all", 7, "words");
	expect_from("a starts", at + 1);
	core_dead_letters(find_letter, &found);
	assert_true(found);
	core_stop_actor(actor_find("a"), 0, NULL);
	gone("a");
}

static void test_asks_and_kept_callers_are_answered_at_once(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("top"), "ask", "a", "keep");
	expect("a keeps");
	actor_send(NULL, actor_find("a"), "fail");
	expect("top was answered -2");
	put_away();
}

static void test_values_go_to_init_after_each_start(void **state)
{
	int at;

	(void)state;
	top(PLAIN);
	actor_send(NULL, actor_find("top"), "bear_with", "a", 42);
	at = expect("a init 42");
	assert_true(expect("a starts") < at);
	actor_send(NULL, actor_find("a"), "fail");
	at = expect_from("a starts", at);
	expect_from("a init 42", at);
	put_away();
}

static void test_who_begins_again_after_what(void **state)
{
	int at;

	(void)state;
	top(PLAIN);
	child(PLAIN, "transient");
	child(PERMANENT, "permanent");
	child(TEMPORARY, "temporary");
	actor_send(NULL, actor_find("permanent"), "end_self");
	at = expect("permanent stops");
	expect_from("permanent starts", at);
	actor_send(NULL, actor_find("transient"), "end_self");
	expect("transient stops");
	actor_send(NULL, actor_find("temporary"), "fail");
	expect("temporary stops");
	/* By somebody else: for good, even the permanent one. */
	actor_send(NULL, actor_find("top"), "end", "permanent");
	at = expect("top ends permanent: 0");
	expect_from("permanent stops", at - 1);
	gone("permanent");
	gone("transient");
	gone("temporary");
	assert_int_equal(count_of("permanent starts"), 2);
	assert_int_equal(count_of("transient starts"), 1);
	put_away();
}

/* --- strategies ---------- */

static void test_one_for_all(void **state)
{
	int at;

	(void)state;
	three(ALL);
	actor_send(NULL, actor_find("b"), "fail");
	at = expect("b stops");
	at = expect_from("c stops", at);
	at = expect_from("a stops", at);
	at = expect_from("a starts", at);
	at = expect_from("b starts", at);
	expect_from("c starts", at);
	put_away();
}

static void test_rest_for_one(void **state)
{
	int at;

	(void)state;
	three(REST);
	actor_send(NULL, actor_find("b"), "fail");
	at = expect("b stops");
	at = expect_from("c stops", at);
	at = expect_from("b starts", at);
	expect_from("c starts", at);
	assert_int_equal(count_of("a stops"), 0);
	put_away();
}

static void test_one_for_one(void **state)
{
	int at;

	(void)state;
	three(PLAIN);
	actor_send(NULL, actor_find("b"), "fail");
	at = expect("b stops");
	expect_from("b starts", at);
	assert_int_equal(count_of("a stops") + count_of("c stops"), 0);
	put_away();
}

static void test_children_end_before_their_parent_the_youngest_first(void **state)
{
	int at;

	(void)state;
	three(PLAIN);
	actor_send(NULL, actor_find("c"), "bear", PLAIN, "grandchild");
	expect("grandchild starts");
	put_away();
	at = expect("grandchild stops");
	at = expect_from("c stops", at);
	at = expect_from("b stops", at);
	at = expect_from("a stops", at);
	expect_from("top stops", at);
}

/* --- intensity ---------- */

static void test_too_often_takes_the_parent(void **state)
{
	int at = 0;

	(void)state;
	top(STRICT);
	child(PLAIN, "a");
	for (int i = 0; i < 2; i++) {
		actor_send(NULL, actor_find("a"), "fail");
		at = expect_from("a stops", at);
		at = expect_from("a starts", at);
	}
	actor_send(NULL, actor_find("a"), "fail");
	at = expect_from("top stops", at);
	at = expect_from("top starts", at);
	/* Its children are not there any more: who spawned them does so again. */
	assert_false(core_alive(actor_find("a")));
	put_away();
}

static void test_a_start_that_fails_again_and_again(void **state)
{
	(void)state;
	top(PLAIN);
	actor_send(NULL, actor_find("top"), "bear", BRITTLE, "mid");
	expect("mid starts");
	actor_send(NULL, actor_find("top"), "watch", "mid");
	expect("top watches mid: yes");
	actor_send(NULL, actor_find("mid"), "bear", PLAIN, "a");
	int at = expect("a starts");

	for (int i = 0; i < 2; i++) {
		actor_send(NULL, actor_find("a"), "fail");
		at = expect_from("a starts", at + 1);
	}
	actor_send(NULL, actor_find("a"), "fail");
	expect("top hears of mid (as asked): its children were restarted 2 times in 60 s, that is "
	       "too often; the "
	       "last is a: fail failed: EFAIL");
	put_away();
}

/* --- at the top: last, as it ends the node ---------- */

static _Atomic int64_t stands_ns;       /* where the clock stands, once it does */
static struct clock_port real;

static int64_t standing(void *arg)
{
	int64_t at = stands_ns;

	return at ? at : real.mono_ns(arg);
}

/* From here on it stands; it never goes back. */
static void stand(void)
{
	int64_t now = real.mono_ns(NULL);

	stands_ns = now > stands_ns ? now : stands_ns;
}

/* Until the line is said, from timer to timer: how long a machine takes is no matter. */
static int leap_until(const char *line, int from)
{
	int64_t until = real.mono_ns(NULL) + 20000000000;

	for (;; sched_yield()) {
		int64_t next = core_next_timer();
		bool found;

		pthread_mutex_lock(&lock);
		found = find(line, from) >= 0;
		pthread_mutex_unlock(&lock);
		if (found || real.mono_ns(NULL) > until)
			return expect_from(line, from);
		if (next < INT64_MAX && next > stands_ns)
			stands_ns = next;
	}
}

/* While the clock stands it does not begin again: it is looked at meanwhile. */
static int look(actor *self, const msg *m)
{
	int64_t number = core_look(self, actor_find(msg_str(m, 0)), "looked", 20000);

	say("looks: %s", number > 0 ? "yes" : "no");
	return 0;
}

static int looked(actor *self, const msg *m)
{
	(void)self;
	say("looked: %d, %d", msg_error(m), msg_count(m));
	return 0;
}

static const struct actor_type looker = { .name = "looker",
	                                  .on = ON({ "look", "who:str", look, 0 },
	                                           { "looked", "...", looked, 0 }) };

static void test_who_is_to_begin_again_can_be_looked_at(void **state)
{
	actor_ref who = actor_spawn(NULL, &looker, NULL);
	struct actor_info info;
	int at;

	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	stand();
	actor_send(NULL, actor_find("a"), "fail");
	at = expect_from("a starts", expect("a stops"));        /* the first time at once */
	actor_send(NULL, actor_find("a"), "fail");
	at = expect_from("a stops", at);
	UNTIL(!core_inspect(actor_find("a"), &info) && !strcmp(info.state, "restarting"));
	assert_int_equal(actor_send(NULL, who, "look", "a"), 0);
	expect("looks: yes");
	expect("looked: 0, 1");
	assert_int_equal(core_inspect(actor_find("a"), &info), 0);
	assert_string_equal(info.state, "restarting");
	leap_until("a starts", at);
	assert_int_equal(core_stop_actor(who, 0, NULL), 0);
	put_away();
}

static void test_too_often_at_the_top(void **state)
{
	actor_ref x = actor_spawn(NULL, &types[PLAIN], "x");
	int at = expect("x starts"), restarts = 0;

	(void)state;
	stand();
	for (; !given_up; restarts++) {
		assert_true(restarts <= 11);
		actor_send(NULL, x, "fail");
		at = expect_from("x stops", at) + 1;
		at = leap_until("x starts", at) + 1; /* or the reason for which it does not */
	}
	gone("x");
	pthread_mutex_lock(&lock);
	assert_non_null(strstr(reason_given,
	                       "actors of the node were restarted 10 times in 10 s, that is too "
	                       "often; the last is x: fail failed: EFAIL"));
	pthread_mutex_unlock(&lock);
}

static int all_setup(void **state)
{
	real = ports.clock;
	ports.clock.mono_ns = standing;
	return group_setup(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_failure_begins_again_with_the_same_name, setup),
		cmocka_unit_test_setup(test_a_refusal_is_no_failure, setup),
		cmocka_unit_test_setup(test_a_failure_of_an_ask_is_the_askers, setup),
		cmocka_unit_test_setup(test_what_waits_outlives_the_restart, setup),
		cmocka_unit_test_setup(test_the_message_it_failed_at_is_a_dead_letter, setup),
		cmocka_unit_test_setup(test_asks_and_kept_callers_are_answered_at_once, setup),
		cmocka_unit_test_setup(test_values_go_to_init_after_each_start, setup),
		cmocka_unit_test_setup(test_who_begins_again_after_what, setup),
		cmocka_unit_test_setup(test_one_for_all, setup),
		cmocka_unit_test_setup(test_rest_for_one, setup),
		cmocka_unit_test_setup(test_one_for_one, setup),
		cmocka_unit_test_setup(test_children_end_before_their_parent_the_youngest_first,
		                       setup),
		cmocka_unit_test_setup(test_too_often_takes_the_parent, setup),
		cmocka_unit_test_setup(test_a_start_that_fails_again_and_again, setup),
		cmocka_unit_test_setup(test_who_is_to_begin_again_can_be_looked_at, setup),
		cmocka_unit_test_setup(test_that_somebody_else_is_gone_is_no_failure, setup),
		cmocka_unit_test_setup(test_too_often_at_the_top, setup),
	};

	return cmocka_run_group_tests(tests, all_setup, group_teardown);
}
