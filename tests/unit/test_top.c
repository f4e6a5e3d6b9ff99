/* SPDX-License-Identifier: MIT
 * test_top.c - windows of several lookers, their order, the fullest mailboxes, and a great many
 * actors. */
#include "running.h"

#include <stdlib.h>

#include "control/rows.h"
#include "control/top.h"

static int on_go(actor *self, const msg *m)
{
	(void)self, (void)m;
	happened(0, "");
	return 0;
}

static const struct actor_type idle = { .name = "idle", .on = ON({ "go", "", on_go, 0 }) };

static bool find(struct packed map, const char *key, struct packed *out)
{
	struct value head, k;

	packed_next(&map, &head);
	for (size_t i = 0; i < head.len; i++) {
		packed_next(&map, &k);
		*out = map;
		packed_skip(&map);
		if (k.len == strlen(key) && !memcmp(k.str, key, k.len))
			return true;
	}
	return false;
}

static double number(struct packed map, const char *key)
{
	struct packed at;
	struct value v;

	assert_true(find(map, key, &at));
	packed_next(&at, &v);
	return v.num;
}

static struct buf answer;

static struct packed look(struct top *t, int64_t since, const char *sort, const char *filter)
{
	struct top_query q = { since, sort, filter, 5 };
	struct why why = { "" };
	struct census census;
	uint32_t at = 0;

	buf_clear(&answer);
	if (top_check(&q, &why) < 0)
		fail_msg("%s", why.text);
	census_init(&census, 5, filter);
	while (core_cells(&at, 3, census_cell, &census))
		;
	top_answer(t, &q, &census, &answer);
	census_fini(&census);
	return (struct packed){ (uint8_t *)answer.p, (uint8_t *)answer.p + answer.len };
}

/* Calls of idle.go by the rate that the answer gives; 0: there is no row. */
static double calls(struct packed map)
{
	struct packed rows;
	struct value head;

	assert_true(find(map, "handlers", &rows));
	packed_next(&rows, &head);
	return head.len ? number(rows, "per_s") * number(map, "window_ms") / 1000 : 0;
}

static void go(int n)
{
	int64_t before = events;

	for (int i = 0; i < n; i++)
		assert_int_equal(actor_send(NULL, actor_find("idle"), "go"), 0);
	expect_events(before + n);
	assert_true(core_drain(10000));
}

static void test_windows(void **state)
{
	struct top *t = top_new();
	int64_t first, second;

	(void)state;
	spawn(add(&idle), "idle");
	first = (int64_t)number(look(t, 0, "rate", "idle.go"), "snapshot");
	go(100);
	second = (int64_t)number(look(t, first, "rate", "idle.go"), "snapshot");
	go(200);
	look(t, second, "cpu", "idle.go");      /* each has a window of its own */
	assert_true(calls(look(t, second, "mean", "idle.go")) > 150);
	assert_true(calls(look(t, first, "p99", "idle.go")) > 250);
	assert_true(calls(look(t, second, "failures", "nobody")) == 0);
	for (int i = 0; i < 20; i++)
		look(t, 0, "waiting", "");
	look(t, first, "rate", "idle.go");      /* gone: since the start */
	top_free(t);
	top_free(NULL);
}

static void test_refused(void **state)
{
	struct top_query q = { 0, "nonsense", "", 5 }, none = { 0, "rate", "", 0 };
	struct top *t = top_new();
	struct why why;

	(void)state;
	assert_int_equal(top_check(&q, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "p99"));
	assert_int_equal(top_check(&none, &why), ACTOR_EARGS);
	look(t, -7, "rate", "");
	look(t, INT64_MAX, "rate", "");
	look(t, INT64_MIN, "rate", "");
	top_free(t);
}

/* TOP_ACTORS: how many; the promise is of a million. */
static void test_many(void **state)
{
	const char *wanted = getenv("TOP_ACTORS");
	int n = wanted ? atoi(wanted) : 20000;
	struct top *t = top_new();
	int64_t ns, least = INT64_MAX;

	(void)state;
	for (int i = 0; i < n; i++)
		spawn(core_type("idle"), NULL);
	assert_true(core_drain(60000));
	for (int i = 0; i < 5; i++) {
		ns = computed_ns();
		look(t, 0, "rate", "");
		ns = computed_ns() - ns;
		least = ns < least ? ns : least;
	}
	print_message("%d actors: top in %lld us\n", n, (long long)least / 1000);
	assert_true(least < 200000000);
	top_free(t);
	buf_fini(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_windows, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_many, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
