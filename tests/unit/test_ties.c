/* SPDX-License-Identifier: MIT
 * test_ties.c - monitors, links, ends, names and types of children; in a running pool. */
#include "family.h"

/* --- monitors, links ---------- */

static void test_monitors(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("top"), "watch", "a");
	expect("top watches a: yes");
	actor_send(NULL, actor_find("a"), "fail");
	expect("top hears of a (as asked): fail failed: EFAIL");
	expect_from("a starts", expect("a starts") + 1);
	actor_send(NULL, actor_find("top"), "watch", "a");
	expect_from("top watches a: yes", expect("top watches a: yes") + 1);
	actor_send(NULL, actor_find("top"), "end", "a");
	expect("top hears of a (as asked): stopped");
	actor_send(NULL, actor_find("top"), "watch", "never");
	expect("top watches never: there is no actor named never here");
	put_away();
}

/* One that has failed, and whose parent has no time to start it again, is watched and stopped. */
static void test_a_stop_before_it_is_back(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	assert_true(actor_spawn(NULL, &types[PLAIN], "b") != 0);
	expect("b starts");
	pthread_mutex_lock(&gate);
	actor_send(NULL, actor_find("top"), "block");
	expect("top blocks");
	actor_send(NULL, actor_find("a"), "fail");
	expect("a stops");
	actor_send(NULL, actor_find("b"), "watch", "a");
	expect("b watches a: yes");
	assert_int_equal(core_stop_actor(actor_find("a"), 0, NULL), 0);
	expect("b hears of a (as asked): stopped");
	pthread_mutex_unlock(&gate);
	gone("a");
	assert_int_equal(count_of("a starts"), 1);
	core_stop_actor(actor_find("b"), 0, NULL);
	gone("b");
	put_away();
}

static void test_a_monitor_taken_back(void **state)
{
	int at;

	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("top"), "watch", "a");
	actor_send(NULL, actor_find("top"), "unwatch");
	expect("top unwatches: 0");
	actor_send(NULL, actor_find("top"), "unwatch");
	expect("top unwatches: -2");
	actor_send(NULL, actor_find("a"), "fail");
	at = expect("a stops");
	expect_from("a starts", at);
	actor_send(NULL, actor_find("top"), "hit", 1);
	expect("top hits 1");
	assert_false(said_of("hears"));
	put_away();
}

static void test_links_fail_together(void **state)
{
	int at;

	(void)state;
	three(PLAIN);
	actor_send(NULL, actor_find("a"), "tie", "b");
	expect("a linked to b: 0");
	actor_send(NULL, actor_find("a"), "tie", "c");
	expect("a linked to c: 0");
	actor_send(NULL, actor_find("a"), "untie", "c");
	expect("a unlinked: 0");
	actor_send(NULL, actor_find("b"), "fail");
	at = expect("b stops");
	expect_from("a starts", expect_from("a stops", at));
	expect_from("b starts", at);
	assert_int_equal(count_of("c stops"), 0);
	/* A stop is no failure. */
	actor_send(NULL, actor_find("a"), "tie", "c");
	expect_from("a linked to c: 0", expect("a linked to c: 0") + 1);
	actor_send(NULL, actor_find("top"), "end", "c");
	expect("c stops");
	actor_send(NULL, actor_find("a"), "hit", 1);
	expect("a hits 1");
	assert_int_equal(count_of("a stops"), 1);
	actor_send(NULL, actor_find("a"), "tie", "nobody");
	expect("a linked to nobody: -2");
	put_away();
}

/* --- ends ---------- */

static void test_drain(void **state)
{
	int at;

	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	for (int i = 0; i < 50; i++)
		actor_send(NULL, actor_find("a"), "hit", 1);
	actor_send(NULL, actor_find("top"), "drain", "a", 10000);
	at = expect("a hits 50");
	expect_from("a stops", at);
	put_away();
}

static void test_a_stop_from_inside(void **state)
{
	(void)state;
	top(PLAIN);
	child(PLAIN, "a");
	actor_send(NULL, actor_find("a"), "end", "a");
	assert_true(expect("a ends a: 0") < expect("a stops"));
	gone("a");
	actor_send(NULL, actor_find("top"), "end", "a");
	expect("top ends a: -2");
	/* And of its own parent, which waits for it. */
	child(PLAIN, "b");
	actor_send(NULL, actor_find("b"), "end", "top");
	assert_true(expect("b stops") < expect("top stops"));
	gone("top");
}

static void test_odd_names(void **state)
{
	char name[10001];

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	top(PLAIN);
	actor_send(NULL, actor_find("top"), "bear", PLAIN, "");
	expect("top bears an actor's name is 1 to 255 bytes of UTF-8 with no space in it");
	setup(NULL);
	actor_send(NULL, actor_find("top"), "bear", PLAIN, "a b");
	expect("top bears an actor's name is 1 to 255 bytes of UTF-8 with no space in it");
	setup(NULL);
	actor_send(NULL, actor_find("top"), "bear", PLAIN, name);
	expect("top bears an actor's name is 1 to 255 bytes of UTF-8 with no space in it");
	actor_send(NULL, actor_find("top"), "bear", PLAIN, "list:x");
	expect("top bears an actor's name has at most 255 bytes and does not begin with list:");
	actor_send(NULL, actor_find("top"), "bear", PLAIN, "top");
	expect("top bears there is an actor named top already");
	actor_send(NULL, actor_find("top"), "end", "list:x");
	expect("top ends list:x: -2");
	actor_send(NULL, actor_find("top"), "end", name);
	put_away();
}

static int bear_all(actor *self, const msg *m)
{
	int n = 0;

	(void)m;
	while (actor_spawn(self, "plain", NULL))
		n++;
	say("%s: %s", n > 1900 ? "many" : "few", actor_why(self));
	return 0;
}

static const struct actor_type many = { .name = "many", .on = ON({ "bear_all", "", bear_all, 0 }) };

static void test_the_limit_of_actors(void **state)
{
	actor_ref m = actor_spawn(NULL, &many, "many");

	(void)state;
	assert_true(m != 0);
	assert_int_equal(actor_send(NULL, m, "bear_all"), 0);
	expect("many: there are 2000 actors, as many as this node takes (actord --max-actors)");
	assert_int_equal(core_stop_actor(m, 0, NULL), 0);
	gone("many");
	/* All of them are gone with it. */
	top(PLAIN);
	child(PLAIN, "a");
	put_away();
}

/* Broods of children that say so and end, one brood after the other: far more of them than there
 * may be at once. */
enum { BROOD = 50, BROODS = 200 };
struct hen { int64_t left, broods; };

static int hatched(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, actor_self(self));
	return actor_send(self, actor_parent(self), "next");
}

static const struct actor_type chick = { .name = "chick", .on = ON({ "hatched", "", hatched, 0 }) };

static int next(actor *self, const msg *m)
{
	struct hen *h = actor_state(self);

	(void)m;
	if (h->left && --h->left)
		return 0;
	if (h->broods++ == BROODS) {
		say("all broods");
		return 0;
	}
	for (h->left = 0; h->left < BROOD; h->left++) {
		actor_ref c = actor_spawn(self, &chick, NULL);

		if (actor_send(self, c, "hatched") < 0)
			say("none: %s", actor_why(self));
	}
	return 0;
}

static const struct actor_type hen = {
	.name = "hen", .state = sizeof(struct hen), .on = ON({ "next", "", next, 0 }) };

static void test_children_leave_their_place(void **state)
{
	struct core_totals t;
	actor_ref h = actor_spawn(NULL, &hen, "hen");

	(void)state;
	assert_true(h != 0);
	assert_int_equal(actor_send(NULL, h, "next"), 0);
	expect("all broods");
	assert_false(said_of("none"));
	assert_int_equal(core_stop_actor(h, 0, NULL), 0);
	gone("hen");
	assert_true(core_drain(20000));
	core_totals(&t);
	assert_int_equal(t.actors, 0);
}

static const struct actor_type other = { .name = "plain",
	                                 .state = 8,
	                                 .on = ON({ "hit", "by:int", hit, 0 }) };

static void test_types_are_known_by_name(void **state)
{
	(void)state;
	assert_int_equal(actor_spawn(NULL, &other, "x"), 0);
	assert_non_null(strstr(actor_why(NULL), ""));
	assert_int_equal(actor_spawn(NULL, "no such type", "x"), 0);
	assert_true(actor_spawn(NULL, "plain", "x") != 0);
	expect("x starts");
	assert_int_equal(actor_spawn(NULL, "plain", "y", "not a number"), 0);
	assert_false(core_alive(actor_find("y")));
	core_stop_actor(actor_find("x"), 0, NULL);
	gone("x");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_monitors, setup),
		cmocka_unit_test_setup(test_a_stop_before_it_is_back, setup),
		cmocka_unit_test_setup(test_a_monitor_taken_back, setup),
		cmocka_unit_test_setup(test_links_fail_together, setup),
		cmocka_unit_test_setup(test_drain, setup),
		cmocka_unit_test_setup(test_a_stop_from_inside, setup),
		cmocka_unit_test_setup(test_odd_names, setup),
		cmocka_unit_test_setup(test_the_limit_of_actors, setup),
		cmocka_unit_test_setup(test_children_leave_their_place, setup),
		cmocka_unit_test_setup(test_types_are_known_by_name, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
