/* SPDX-License-Identifier: MIT
 * test_metrics.c - the page that Prometheus reads: its form, its figures, and what it costs with
 * many actors. */
#include "running.h"

#include <math.h>
#include <stdlib.h>

#include "metrics.h"

static int on_add(actor *self, const msg *m)
{
	(void)self;
	happened(msg_int(m, 0), "");
	return msg_int(m, 0) < 0 ? ACTOR_EFAIL : 0;
}

static const struct actor_type odd = {
	.name = "odd\"\\\n", .on = ON({ "add", "n:int", on_add, 0 }),
};

/* The value of a sample, by all that stands before it; NAN: there is none. */
static double sample(const char *page, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = page; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, n) == 0 && at[n] == ' ')
			return strtod(at + n, NULL);
		if (!*at)
			break;
	}
	return NAN;
}

static char *page(struct buf *b)
{
	buf_clear(b);
	metrics_process(b, "here");
	metrics_core(b);
	buf_add(b, "", 1);
	return b->p;
}

/* Each family has HELP and TYPE before its samples, once; what only grows is named _total. */
static void test_form(void **state)
{
	struct buf b = { 0 };
	char family[128] = "", type[32] = "", *at, *next;

	(void)state;
	spawn(add(&odd), "odd");
	for (at = page(&b); *at; at = next) {
		next = strchr(at, '\n');
		assert_non_null(next);
		*next++ = 0;
		if (strncmp(at, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(at + 7, "%127s", family), 1);
		} else if (*at == '#') {
			char name[128];

			assert_int_equal(sscanf(at, "# TYPE %127s %31s", name, type), 2);
			assert_string_equal(name, family);
			assert_int_equal(strcmp(type, "counter") == 0,
					 strstr(name, "_total") != NULL);
		} else {
			assert_memory_equal(at, family, strlen(family));
			assert_true(at[strlen(family)] == '{' || at[strlen(family)] == ' ');
			assert_true(isfinite(strtod(strrchr(at, ' ') + 1, NULL)));
		}
	}
	buf_fini(&b);
}

static void test_figures(void **state)
{
	struct buf b = { 0 };
	double calls, failed;

	(void)state;
	page(&b);
	failed = sample(b.p, "actord_messages_failed_total");
	calls = sample(b.p, "actord_handler_calls_total{type=\"odd\\\"\\\\\\n\",handler=\"add\"}");
	for (int i = 0; i < 100; i++)
		assert_int_equal(actor_send(NULL, actor_find("odd"), "add", i ? i : -1), 0);
	expect_events(100);
	assert_true(core_drain(10000));
	page(&b);
	assert_true(sample(b.p, "actord_messages_failed_total") == failed + 1);
	assert_true(sample(b.p,
			   "actord_handler_calls_total{type=\"odd\\\"\\\\\\n\",handler=\"add\"}") ==
		    calls + 100);
	assert_true(
		sample(b.p,
		       "actord_handler_failures_total{type=\"odd\\\"\\\\\\n\",handler=\"add\"}") ==
		1);
	assert_true(sample(b.p,
			   "actord_build_info{version=\"" ACTORD_VERSION "\",node=\"here\"}") == 1);
	buf_fini(&b);
}

static const struct actor_type idle = { .name = "idle", .on = ON({ "add", "n:int", on_add, 0 }) };

/* METRICS_ACTORS: how many; the promise is of a million. */
static void test_many(void **state)
{
	const char *wanted = getenv("METRICS_ACTORS");
	int n = wanted ? atoi(wanted) : 50000;
	struct type *type = add(&idle);
	struct core_totals seen, counted;
	struct buf b = { 0 };
	int64_t ns, least = INT64_MAX;

	(void)state;
	core_counts(&counted);
	for (int i = 0; i < n; i++)
		spawn(type, NULL);
	assert_true(core_drain(60000));
	for (int i = 0; i < 5; i++) {
		ns = computed_ns();
		page(&b);
		ns = computed_ns() - ns;
		least = ns < least ? ns : least;
	}
	print_message("%d actors: a page of %zu bytes in %lld us\n", n, b.len,
		      (long long)least / 1000);
	assert_true(least < 50000000);
	assert_true(sample(b.p, "actord_actors") == counted.actors + (unsigned)n);
	core_totals(&seen);
	core_counts(&counted);
	assert_int_equal(seen.actors, counted.actors);
	assert_int_equal(seen.waiting, counted.waiting);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_form, setup),
		cmocka_unit_test_setup(test_figures, setup),
		cmocka_unit_test_setup(test_many, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
