/* SPDX-License-Identifier: MIT
 * test_failover.c - what a write counts as, by what Redis says of it and of its replicas; and
 * of what the operator is warned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../runtime/bus/failover.h"

static redis_fn *answer;
static void *answer_arg;
static char asked[64];
static const char *waited = "WAIT 2";
static struct redis_reply heard;

static int command(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
                   const size_t *len)
{
	(void)link, (void)len;
	assert_null(answer);
	answer = fn;
	answer_arg = arg;
	snprintf(asked, sizeof asked, "%s %s", argv[0], argc > 1 ? argv[1] : "");
	return 0;
}

static const struct redis_port port = { .command = command };

static void says(struct redis_reply r)
{
	redis_fn *fn = answer;

	assert_non_null(fn);
	answer = NULL;
	fn(answer_arg, &r);
}

static struct redis_reply text(int type, const char *s)
{
	return (struct redis_reply){
		.type = (typeof(heard.type))type, .str = s, .len = strlen(s)
	};
}

static void set(struct failover *f, const char *least, const char *lag)
{
	const struct redis_reply of[] = {
		text(REDIS_STR, "min-replicas-to-write"), text(REDIS_STR, least),
		text(REDIS_STR, "min-replicas-max-lag"), text(REDIS_STR, lag),
	};

	failover_see_least(f, &(struct redis_reply){ .type = REDIS_LIST, .item = of, .items = 4 });
}

static void on_written(void *arg, const struct redis_reply *r)
{
	(void)arg;
	heard = *r;
}

/* What is heard of a write that Redis takes, when it says this to WAIT. */
static int after(struct failover *f, struct redis_reply replicas)
{
	const char *argv[] = { "SET", "k", "v" };

	assert_int_equal(failover_write(f, &port, on_written, NULL, 3, argv,
	                                (const size_t[]){ 3, 1, 1 }), 0);
	assert_string_equal(asked, "SET k");
	heard.type = REDIS_GONE;
	says(text(REDIS_STR, "OK"));
	if (answer) {
		assert_string_equal(asked, waited);
		says(replicas);
	}
	return heard.type;
}

static void test_writes(void **state)
{
	const struct redis_reply one = { .type = REDIS_INT, .integer = 1 };
	const struct redis_reply two = { .type = REDIS_INT, .integer = 2 };
	struct failover *f = failover_new(&(struct url){ .master = "it" });

	(void)state;
	assert_int_equal(after(f, one), REDIS_STR);     /* nobody was waited for */
	set(f, "2", "1");
	assert_int_equal(after(f, two), REDIS_STR);
	assert_int_equal(after(f, one), REDIS_ERROR);
	/* It has become a replica, and what it took is not the new master's. */
	assert_int_equal(after(f, text(REDIS_ERROR, "UNBLOCKED force unblock from blocking "
	                               "operation, instance state changed")), REDIS_ERROR);
	assert_int_equal(after(f, text(REDIS_ERROR, "ERR WAIT cannot be used with replica "
	                               "instances.")), REDIS_ERROR);
	assert_int_equal(after(f, text(REDIS_ERROR, "NOPERM this user has no permissions")),
	                 REDIS_STR);
	assert_int_equal(after(f, (struct redis_reply){ .type = REDIS_GONE }), REDIS_GONE);
	failover_free(f);
}

static void test_warnings(void **state)
{
	const struct url u = { .host = "10.0.0.1", .port = 7000 };
	struct failover *f = failover_new(&u);
	const struct redis_reply none = text(REDIS_STR, "connected_slaves:0\r\n");
	const struct redis_reply some = text(REDIS_STR, "connected_slaves:1\r\n");

	(void)state;
	failover_see_replicas(f, &none);
	set(f, "0", "10");
	assert_string_equal(failover_warning(f), "");
	failover_see_replicas(f, &some);
	set(f, "0", "10");
	assert_non_null(strstr(failover_warning(f), "of 10.0.0.1:7000 may lose"));
	set(f, "1", "10");
	assert_non_null(strstr(failover_warning(f), "in the last 10 s"));
	set(f, "1", "1");
	assert_string_equal(failover_warning(f), "");
	failover_free(f);
}

/* A user who may not CONFIG GET, nor, then, INFO. */
static void test_who_may_not_ask(void **state)
{
	const struct redis_reply no = text(REDIS_ERROR, "NOPERM this user has no permissions");
	const struct redis_reply none = text(REDIS_STR, "connected_slaves:2\r\n");
	const struct redis_reply some = text(REDIS_STR, "connected_slaves:2\r\n"
	                                     "min_slaves_good_slaves:2\r\n");
	const struct redis_reply one = { .type = REDIS_INT, .integer = 1 };
	const struct redis_reply nobody = { .type = REDIS_INT, .integer = 0 };
	struct failover *f = failover_new(&(struct url){ .master = "it" });

	(void)state;
	failover_see_replicas(f, &none);
	failover_see_least(f, &no);
	assert_non_null(strstr(failover_warning(f), "as a write needs no replica"));
	assert_false(failover_may_ask(f));
	waited = "WAIT 1";
	failover_see_replicas(f, &some);
	failover_see_least(f, &no);
	assert_string_equal(failover_warning(f), "");
	assert_int_equal(after(f, one), REDIS_STR);
	assert_int_equal(after(f, nobody), REDIS_ERROR);
	failover_see_replicas(f, &no);
	failover_see_least(f, &no);
	assert_non_null(strstr(failover_warning(f), "cannot be seen"));
	failover_see_replicas(f, &some);
	set(f, "1", "1");
	assert_true(failover_may_ask(f));
	assert_string_equal(failover_warning(f), "");
	failover_free(f);
}

/* Somebody's script runs: what was known holds, and is asked for again. */
static void test_no_answer(void **state)
{
	const struct redis_reply busy = text(REDIS_ERROR, "BUSY Redis is busy running a script.");
	const struct redis_reply gone = { .type = REDIS_GONE };
	const struct redis_reply nobody = { .type = REDIS_INT, .integer = 0 };
	const struct redis_reply none = text(REDIS_STR, "connected_slaves:0\r\n");
	const struct redis_reply some = text(REDIS_STR, "connected_slaves:1\r\n"
	                                     "min_slaves_good_slaves:1\r\n");
	struct failover *f = failover_new(&(struct url){ .host = "10.0.0.1", .port = 7000 });

	(void)state;
	waited = "WAIT 1";
	failover_see_replicas(f, &busy);                /* the first look: asked again, too */
	failover_see_least(f, &busy);
	assert_true(failover_may_ask(f));
	assert_string_equal(failover_warning(f), "");
	failover_see_replicas(f, &some);
	set(f, "1", "1");
	failover_see_replicas(f, &busy);
	assert_int_equal(after(f, nobody), REDIS_ERROR);
	failover_see_least(f, &busy);
	assert_int_equal(after(f, nobody), REDIS_ERROR);
	failover_see_replicas(f, &gone);
	failover_see_least(f, &gone);
	assert_int_equal(after(f, nobody), REDIS_ERROR);
	assert_string_equal(failover_warning(f), "");
	assert_true(failover_may_ask(f));
	failover_see_replicas(f, &none);
	failover_see_replicas(f, &busy);
	set(f, "0", "10");
	assert_string_equal(failover_warning(f), "");   /* still alone */
	failover_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_who_may_not_ask), cmocka_unit_test(test_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
