/* SPDX-License-Identifier: MIT
 * test_outbox.c - the way of an answer, with the port's other side written out: what Redis is
 * told, in which order, and what happens to the answer at each reply that it may give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../runtime/actor.h"
#include "../../runtime/bus/outbox.h"

enum { COMMANDS = 64 };

static struct { redis_fn *fn; void *arg; char text[400]; } told[COMMANDS];
static int n_told, n_replied, n_spare;
static bool away;

static int command(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
                   const size_t *len)
{
	struct buf b = { 0 };

	(void)link;
	if (away)
		return ACTOR_EFAIL;
	assert_in_range(n_told, 0, COMMANDS - 1);
	for (int i = 0; i < argc; i++)
		buf_printf(&b, "%s%.*s", i ? " " : "", (int)len[i], argv[i]);
	snprintf(told[n_told].text, sizeof told[n_told].text, "%.*s", (int)b.len, b.p);
	buf_fini(&b);
	told[n_told].fn = fn;
	told[n_told++].arg = arg;
	return 0;
}

static const struct redis_port port = { .command = command };

static void spare(void *arg)
{
	(void)arg;
	n_spare++;
}

/* To the oldest command that has no reply yet. */
static void reply(struct redis_reply r)
{
	assert_in_range(n_replied, 0, n_told - 1);
	told[n_replied].fn(told[n_replied].arg, &r);
	n_replied++;
}

static void reply_int(int64_t v)
{
	reply((struct redis_reply){ .type = REDIS_INT, .integer = v });
}

static struct outbox *fresh(void)
{
	n_told = n_replied = n_spare = 0;
	away = false;
	return outbox_new(&port, true, spare, NULL);
}

static void post(struct outbox *o, const char *to, const char *message)
{
	buf_text(outbox_write(o, to, strlen(to)), message);
	outbox_send(o, false);
}

static void expect(struct outbox *o, unsigned waiting, uint64_t sent, uint64_t dropped)
{
	struct outbox_info i;

	outbox_info(o, &i);
	assert_int_equal(i.waiting, waiting);
	assert_int_equal(i.sent, sent);
	assert_int_equal(i.dropped, dropped);
	assert_true(waiting || !i.bytes);
}

static void who_is_subscribed_hears_it(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	post(o, "ct", "{1}");
	assert_string_equal(told[0].text, "PUBLISH ct {1}");
	expect(o, 1, 0, 0);
	reply_int(2);
	expect(o, 0, 1, 0);
	assert_int_equal(n_told, 1);
	assert_int_equal(n_spare, 1);
	outbox_free(o);
}

static void who_is_not_finds_it_on_the_list(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	post(o, "ct", "{1}");
	post(o, "ct", "{2}");
	reply_int(0);
	reply_int(0);
	expect(o, 2, 0, 0);
	assert_int_equal(n_told, 4);
	for (int i = 2; i < 4; i++) {
		const char *end = told[i].text + strlen(told[i].text) - strlen("1 ct {1} 3600");

		assert_non_null(strstr(told[i].text, "'RPUSH', KEYS[1], ARGV[1]"));
		assert_string_equal(end, i == 2 ? "1 ct {1} 3600" : "1 ct {2} 3600");
	}
	reply_int(1);
	reply_int(2);
	expect(o, 0, 2, 0);
	outbox_free(o);
}

static bool is_both(int i, const char *end)
{
	size_t n = strlen(told[i].text), m = strlen(end);

	return strstr(told[i].text, "'PUBLISH'") && n > m && !strcmp(told[i].text + n - m, end);
}

static void who_pops_waits_for_redis_once(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	post(o, "ct", "{1}");
	post(o, "ct", "{2}");
	reply_int(0);
	reply_int(0);
	post(o, "ct", "{3}");           /* not before {2}, which is to be pushed */
	assert_string_equal(told[4].text, "PUBLISH ct {3}");
	reply_int(1);
	reply_int(2);
	reply_int(0);
	reply_int(3);
	post(o, "ct", "{4}");
	assert_true(is_both(6, " 1 ct {4} 3600"));
	post(o, "other", "{5}");
	assert_string_equal(told[7].text, "PUBLISH other {5}");
	reply_int(-1);                  /* now somebody is subscribed */
	reply_int(1);
	post(o, "ct", "{6}");
	assert_string_equal(told[8].text, "PUBLISH ct {6}");
	reply_int(1);
	expect(o, 0, 6, 0);
	assert_int_equal(n_told, n_replied);
	outbox_free(o);
}

static void not_where_scripts_do_not_see_all(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	outbox_free(o);
	o = outbox_new(&port, false, spare, NULL);
	for (int i = 0; i < 3; i++) {
		post(o, "ct", "{}");
		assert_string_equal(told[2 * i].text, "PUBLISH ct {}");
		reply_int(0);
		reply_int(1);
	}
	expect(o, 0, 3, 0);
	outbox_free(o);
}

static void waits_while_redis_is_away(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	away = true;
	post(o, "a", "{1}");
	post(o, "b", "{2}");
	expect(o, 2, 0, 0);
	away = false;
	post(o, "c", "{3}");            /* not before those that wait */
	assert_int_equal(n_told, 0);
	outbox_up(o);
	assert_string_equal(told[0].text, "PUBLISH a {1}");
	assert_string_equal(told[1].text, "PUBLISH b {2}");
	assert_string_equal(told[2].text, "PUBLISH c {3}");
	for (int i = 0; i < 3; i++)
		reply_int(1);
	expect(o, 0, 3, 0);
	outbox_free(o);
}

static void what_waits_is_bounded(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	away = true;
	for (int i = 0; i < OUTBOX_MOST + 10; i++)
		post(o, "a", "{}");
	expect(o, OUTBOX_MOST, 0, 10);
	outbox_free(o);
}

static void nothing_is_sent_twice(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	post(o, "a", "{1}");
	reply((struct redis_reply){ .type = REDIS_GONE });
	post(o, "a", "{2}");
	reply_int(0);                   /* and gone before the list has it */
	reply((struct redis_reply){ .type = REDIS_GONE });
	outbox_up(o);
	assert_int_equal(n_told, 3);
	expect(o, 0, 0, 2);
	outbox_free(o);
}

static void what_is_sure_comes_again(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	for (int i = 1; i <= 2; i++) {
		buf_printf(outbox_write(o, "a", 1), "{%d}", i);
		outbox_send(o, true);
	}
	reply((struct redis_reply){ .type = REDIS_GONE });
	reply((struct redis_reply){ .type = REDIS_GONE });
	expect(o, 2, 0, 0);
	outbox_up(o);
	assert_string_equal(told[2].text, "PUBLISH a {1}");
	assert_string_equal(told[3].text, "PUBLISH a {2}");
	reply_int(1);
	reply_int(1);
	expect(o, 0, 2, 0);
	outbox_free(o);
}

static void a_refusal_ends_it(void **state)
{
	struct outbox *o = fresh();

	(void)state;
	post(o, "a", "{1}");
	reply_int(0);
	reply((struct redis_reply){ .type = REDIS_ERROR, .str = "WRONGTYPE", .len = 9 });
	expect(o, 0, 0, 1);
	away = true;
	post(o, "b", "{2}");
	away = false;
	outbox_up(o);
	away = true;
	reply_int(0);                   /* nobody is subscribed, and now it cannot be pushed */
	expect(o, 0, 0, 2);
	assert_int_equal(n_spare, 2);
	outbox_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_subscribed_hears_it),
		cmocka_unit_test(who_is_not_finds_it_on_the_list),
		cmocka_unit_test(who_pops_waits_for_redis_once),
		cmocka_unit_test(not_where_scripts_do_not_see_all),
		cmocka_unit_test(waits_while_redis_is_away),
		cmocka_unit_test(what_waits_is_bounded),
		cmocka_unit_test(nothing_is_sent_twice), cmocka_unit_test(what_is_sure_comes_again),
		cmocka_unit_test(a_refusal_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
