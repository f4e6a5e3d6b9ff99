/* SPDX-License-Identifier: MIT
 * test_bad_input.c - what actors may get wrong, and what the world may lack: names that are none,
 * actors that are dead, were never born or are elsewhere, values that do not fit, moments that have
 * passed or never come, stops from within, limits, and each allocation that can fail, failing.
 *
 * What must hold: each is a clear error to who did it, at once, or its actor's failure; nothing is
 * lost without a count (the kit's), and everybody else goes on. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit.h"

enum { LONG = 10000, LARGE = 3000, DAY = 86400000 };
static const int64_t YEARS_300 = 300ll * 365 * DAY;

/* --- an actor that does what a test wants ------------------------------------------------- */

static int (*script)(actor *self, const msg *m);
static int64_t answers, last_error, ticks;
static char last_words[300], long_name[LONG + 1], large[LARGE + 1];

static int act(actor *self, const msg *m)
{
	return script(self, m);
}

static int add(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_int(m, 0) + msg_int(m, 1));
}

static int got(actor *self, const msg *m)
{
	(void)self;
	answers++;
	last_error = msg_error(m);
	snprintf(last_words, sizeof last_words, "%s", last_error ? msg_error_text(m) : "");
	return 0;
}

static int tick(actor *self, const msg *m)
{
	(void)self, (void)m;
	ticks++;
	return 0;
}

static int show(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_str(m, 0));
}

#define HANDLERS ON({ "act", "...", act, 0 }, { "add", "a:int b:int?", add, 0 }, \
	{ "got", "...", got, 0 }, { "tick", "", tick, 0 }, { "show", "what:str", show, 0 }, \
	{ "down", "number:int name:str reason:str", got, 0 }, { "init", "what:str", show, 0 })
static const struct actor_type doer = { .name = "doer", .on = HANDLERS,
	                                .mailbox = { .messages = 8, .bytes = 1 << 20 } };
static const struct actor_type heavy = { .name = "heavy", .state = 1000, .on = HANDLERS };

/* In the one called doer, now. */
static void do_this(int (*fn)(actor *self, const msg *m))
{
	script = fn;
	assert_int_equal(kit_send("doer", "act"), 0);
	kit_run();
}

static int begin(void **state)
{
	(void)state;
	answers = last_error = ticks = 0;
	memset(long_name, 'x', LONG);
	memset(large, 'y', LARGE);
	kit_begin(1);
	kit_type(&doer), kit_type(&heavy);
	assert_true(kit_spawn(&doer, "doer"));
	assert_true(kit_spawn(&doer, "other"));
	kit_run();
	return 0;
}

static int end(void **state)
{
	(void)state;
	kit_end();
	return 0;
}

/* --- whom --------------------------------------------------------------------------------- */

/* Nobody has such a name, or such a number. */
static actor_ref nobody[12];
static unsigned nobodies;

static int all_calls_to_nobody(actor *self, const msg *m)
{
	for (unsigned i = 0; i < nobodies; i++) {
		actor_ref to = nobody[i];

		assert_int_equal(actor_send(self, to, "add", 1), ACTOR_ENOENT);
		assert_int_equal(actor_ask(self, to, "add", "got", 100, 1), ACTOR_ENOENT);
		assert_int_equal(actor_monitor(self, to, "down"), ACTOR_ENOENT);
		assert_string_not_equal(actor_why(self), "");
		assert_int_equal(actor_link(self, to), ACTOR_ENOENT);
		assert_int_equal(actor_unlink(self, to), ACTOR_ENOENT);
		assert_int_equal(actor_stop(self, to), ACTOR_ENOENT);
		assert_string_not_equal(actor_why(self), "");
		assert_int_equal(actor_drain(self, to, 100), ACTOR_ENOENT);
		assert_false(actor_alive(to));
		assert_int_equal(actor_send_out(self, to, "add", msg_values(self)), ACTOR_ENOENT);
		assert_int_equal(actor_ask_out(self, to, "add", "got", 1, msg_values(self)),
		                 ACTOR_ENOENT);
	}
	return msg_forward(m, nobody[0], "add") == ACTOR_EFAIL ? 0 : ACTOR_EARGS;
}

static void test_dead_never_born_and_foreign(void **state)
{
	actor_ref dead;

	(void)state;
	dead = kit_spawn(&doer, "mayfly");
	kit_kill("mayfly");
	kit_run();
	nobodies = 0;
	nobody[nobodies++] = dead;                              /* this very one */
	nobody[nobodies++] = actor_find("mayfly");              /* whoever has the name */
	nobody[nobodies++] = actor_find("never born");
	nobody[nobodies++] = actor_find("");
	nobody[nobodies++] = actor_find(NULL);
	nobody[nobodies++] = actor_find(long_name);
	nobody[nobodies++] = actor_find("list:elsewhere");      /* here nobody speaks to Redis */
	nobody[nobodies++] = 1ull << 63 | 0xffffffff;           /* a name's number, made up */
	nobody[nobodies++] = UINT64_MAX;
	nobody[nobodies++] = 1;                                 /* a place, no generation */
	nobody[nobodies++] = 1ull << 32 | 0xffffffff;           /* a place that is none */
	nobody[nobodies++] = 0x7fffffffull << 32 | 1;
	do_this(all_calls_to_nobody);
	assert_int_equal(answers, 0);
}

/* --- names -------------------------------------------------------------------------------- */

static int odd_names(actor *self, const msg *m)
{
	const char *odd[] = { "", " ", "a b", "tab\there", "line\n", "del\x7f", "\xff\xfe",
		              long_name, "list:x" };

	(void)m;
	for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
		assert_int_equal(actor_spawn(self, &doer, odd[i]), 0);
		assert_non_null(strstr(actor_why(self), "name"));
	}
	for (unsigned i = 0; i < 2; i++) {
		const char *what = i ? long_name : "";
		actor_ref other = actor_find("other");

		assert_int_equal(actor_send(self, other, what), ACTOR_ENOENT);
		assert_int_equal(actor_ask(self, other, what, "got", 100), ACTOR_ENOENT);
		assert_int_equal(actor_ask(self, other, "add", what, 100, 1), ACTOR_ENOENT);
		assert_int_equal(actor_ask(self, other, "add", NULL, 100, 1), ACTOR_ENOENT);
		assert_int_equal(actor_monitor(self, other, what), ACTOR_ENOENT);
		assert_int_equal(actor_after(self, 1, what), ACTOR_ENOENT);
		assert_int_equal(actor_every(self, 1, what), ACTOR_ENOENT);
		assert_int_equal(actor_cron(self, "* * * * *", what), ACTOR_ENOENT);
		assert_int_equal(actor_join(self, "club", what), ACTOR_ENOENT);
		assert_int_equal(actor_spawn(self, what, "fine"), 0);
	}
	assert_int_equal(actor_monitor(self, actor_find("other"), NULL), ACTOR_ENOENT);
	assert_int_equal(actor_join(self, "club", NULL), ACTOR_ENOENT);
	assert_int_equal(actor_join(self, long_name, "tick"), ACTOR_EARGS);
	assert_int_equal(actor_join(self, NULL, "tick"), ACTOR_EARGS);
	assert_int_equal(actor_leave(self, long_name), ACTOR_ENOENT);
	assert_int_equal(actor_publish(self, long_name, 1), 0);
	assert_int_equal(actor_pick(long_name, PICK_TURN, NULL), 0);
	assert_int_equal(actor_pick(NULL, PICK_KEY, NULL), 0);
	assert_int_equal(actor_become(self, long_name), ACTOR_ENOENT);
	assert_int_equal(actor_become(self, "act"), ACTOR_ENOENT);
	return 0;
}

static void test_odd_names(void **state)
{
	(void)state;
	do_this(odd_names);
	assert_int_equal(kit_passed("doer", "act"), 1);
}

/* --- values ------------------------------------------------------------------------------- */

static int misfits(actor *self, const msg *m)
{
	actor_ref to = actor_find("other");
	msg_out *o = msg_values(self);

	(void)m;
	assert_int_equal(actor_send(self, to, "add"), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", "one"), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", 1.5), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", 1e300), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", UINT64_MAX), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", (_Bool)1), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "add", 1, 2, 3), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "show", 1), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "show", (const char *)NULL), ACTOR_EARGS);
	assert_int_equal(actor_send(self, to, "tick", 1), ACTOR_EARGS);
	assert_int_equal(actor_after(self, 1, "add", "one"), ACTOR_EARGS);
	assert_int_equal(actor_every(self, 1, "add"), ACTOR_EARGS);
	assert_int_equal(actor_spawn(self, &doer, "born", 1, 2), 0);
	assert_non_null(strstr(actor_why(self), "init"));
	assert_int_equal(actor_monitor(self, to, "tick"), ACTOR_EARGS);
	assert_true(actor_ask(self, to, "add", "tick", 100, 1) > 0);    /* tick takes no number */
	out_list(o, 3);                                 /* and they do not follow */
	assert_int_equal(actor_send_out(self, to, "act", o), ACTOR_EARGS);
	return 0;
}

static void test_values_that_do_not_fit(void **state)
{
	(void)state;
	kit_forbid("other", "show");
	do_this(misfits);
	assert_int_equal(kit_passed("other", "add"), 1);
	assert_int_equal(ticks, 1);                     /* with the error, as an answer may be */
	assert_false(actor_alive(actor_find("born")));
}

/* --- oneself ------------------------------------------------------------------------------ */

static int ask_oneself(actor *self, const msg *m)
{
	(void)m;
	assert_true(actor_ask(self, actor_self(self), "add", "got", 100, 1) > 0);
	assert_int_equal(answers, 0);                   /* not from within */
	return 0;
}

/* Fills its own mailbox: nobody could make room, so it is refused, whatever the type says. */
static int fill_oneself(actor *self, const msg *m)
{
	int n = 0;

	(void)m;
	while (actor_send(self, actor_self(self), "tick") == 0)
		n++;
	assert_int_equal(n, 7);
	assert_int_equal(actor_ask(self, actor_self(self), "add", "got", 100, 1), ACTOR_EFULL);
	return 0;
}

static int tie_oneself(actor *self, const msg *m)
{
	(void)m;
	assert_int_equal(actor_link(self, actor_self(self)), ACTOR_EARGS);
	assert_true(actor_monitor(self, actor_self(self), "down") > 0);
	assert_int_equal(actor_demonitor(self, 99), ACTOR_ENOENT);
	assert_int_equal(actor_cancel(self, 99), ACTOR_ENOENT);
	assert_int_equal(actor_answer(self, 99, 1), ACTOR_ENOENT);
	assert_int_equal(actor_refuse(self, 0, "no"), ACTOR_ENOENT);
	return 0;
}

static void test_to_oneself(void **state)
{
	(void)state;
	do_this(ask_oneself);
	assert_int_equal(answers, 1);
	assert_int_equal(last_error, 0);
	do_this(fill_oneself);
	assert_int_equal(ticks, 7);
	do_this(tie_oneself);
}

/* --- ends --------------------------------------------------------------------------------- */

static int stop_often(actor *self, const msg *m)
{
	msg_caller caller = msg_defer(m);

	assert_int_equal(actor_stop(self, actor_self(self)), 0);
	assert_int_equal(actor_stop(self, actor_self(self)), 0);
	assert_int_equal(actor_drain(self, actor_self(self), 1000), 0);
	assert_int_equal(actor_spawn(self, &doer, "late"), 0);
	assert_non_null(strstr(actor_why(self), "about to end"));
	assert_true(actor_ask(self, actor_find("other"), "add", "got", 100, 1) > 0);
	assert_true(actor_after(self, 0, "tick") > 0);
	assert_int_equal(actor_join(self, "club", "tick"), 0);
	actor_answer(self, caller, 1);
	return 0;
}

static int stops(actor *self)
{
	assert_int_equal(actor_stop(self, actor_self(self)), 0);
	return 0;
}

static void stopping(actor *self)
{
	actor_stop(self, actor_self(self));
	assert_int_equal(actor_spawn(self, &doer, "from the grave"), 0);
	actor_send(self, actor_find("other"), "tick");
	assert_true(actor_after(self, 0, "tick") < 0 || actor_after(self, 0, "tick") > 0);
}

static const struct actor_type brief = { .name = "brief", .start = stops, .stop = stopping,
	                                 .on = HANDLERS };

static void test_stops_from_within(void **state)
{
	(void)state;
	kit_forbid("doer", "tick");
	kit_forbid("doer", "got");
	do_this(stop_often);
	assert_false(actor_alive(actor_find("doer")));
	assert_int_equal(actor_pick("club", PICK_TURN, NULL), 0);
	assert_true(kit_spawn(&brief, "brief"));
	kit_run();
	assert_false(actor_alive(actor_find("brief")));
	assert_int_equal(kit_passed("other", "tick"), 1);
}

/* --- time --------------------------------------------------------------------------------- */

static int odd_moments(actor *self, const msg *m)
{
	(void)m;
	assert_true(actor_after(self, -1, "tick") > 0);
	assert_true(actor_after(self, INT64_MIN, "tick") > 0);
	assert_true(actor_after(self, 0, "tick") > 0);
	assert_true(actor_after(self, YEARS_300, "tick") > 0);
	assert_true(actor_after(self, INT64_MAX, "tick") > 0);
	assert_true(actor_every(self, YEARS_300, "tick") > 0);
	assert_true(actor_every(self, INT64_MAX, "tick") > 0);
	assert_int_equal(actor_every(self, 0, "tick"), ACTOR_EARGS);
	assert_int_equal(actor_every(self, -5, "tick"), ACTOR_EARGS);
	assert_true(actor_window(self, 10, "2300-01-01", NULL, "tick") > 0);
	assert_int_equal(actor_window(self, 10, NULL, "1960-01-01", "tick"), ACTOR_ETIME);
	assert_int_equal(actor_window(self, 10, "2300-13-01", NULL, "tick"), ACTOR_EARGS);
	assert_int_equal(actor_cron(self, NULL, "tick"), ACTOR_EARGS);
	assert_int_equal(actor_cron(self, "* * * * * *", "tick"), ACTOR_EARGS);
	assert_int_equal(actor_cron(self, long_name, "tick"), ACTOR_EARGS);
	assert_true(actor_ask(self, actor_find("other"), "act", "got", -1) > 0);
	assert_true(actor_ask(self, actor_find("other"), "act", "got", INT_MIN) > 0);
	assert_true(actor_ask(self, actor_find("other"), "act", "got", INT_MAX) > 0);
	return 0;
}

static int defer(actor *self, const msg *m)
{
	(void)self;
	msg_defer(m);
	return 0;
}

static void test_odd_moments(void **state)
{
	(void)state;
	script = odd_moments;
	kit_send("doer", "act");
	assert_true(kit_pass("doer"));
	script = defer;
	kit_run_for(2);
	assert_int_equal(ticks, 3);                     /* those that were due; of the years none */
	assert_int_equal(answers, 2);
	assert_int_equal(last_error, ACTOR_ETIME);
	kit_run_for(INT_MAX);                           /* 24 days: the last question, too */
	assert_int_equal(answers, 3);
	assert_int_equal(ticks, 3);
}

/* --- limits ------------------------------------------------------------------------------- */

static int until_refused(actor *self, const msg *m)
{
	int n = 0;

	(void)m;
	while (actor_after(self, DAY, "tick") > 0)
		n++;
	assert_int_equal(n, 16384);
	assert_int_equal(actor_after(self, DAY, "tick"), ACTOR_ENOMEM);
	assert_int_equal(actor_ask(self, actor_find("other"), "add", "got", 1, 1), ACTOR_ENOMEM);
	for (n = 0; actor_monitor(self, actor_find("other"), "down") > 0; n++)
		;
	assert_int_equal(n, 16384);
	assert_non_null(strstr(actor_why(self), "16384"));
	return 0;
}

static void test_limits(void **state)
{
	(void)state;
	kit_one_by_one(false);
	do_this(until_refused);
	kit_kill("other");
	kit_run();
	assert_int_equal(answers, 16384);               /* each of them was heard of */
	assert_int_equal(kit_send("doer", "tick"), 0);
	kit_run();
	assert_int_equal(ticks, 1);
}

/* --- memory ------------------------------------------------------------------------------- */

/* All that allocates what can fail; each call says so, or does what it is for. */
static unsigned said;

static int64_t says(int64_t rc)
{

	said += rc < 0;
	return rc;
}

static int everything(actor *self, const msg *m)
{
	actor_ref other = actor_find("other");
	msg_out *o = msg_values(self);

	(void)m;
	said += !actor_spawn(self, "doer", NULL);
	said += !actor_spawn(self, "heavy", "with_init", large);
	says(actor_send(self, other, "show", large));
	says(actor_ask(self, other, "show", "got", DAY, large));
	says(actor_after(self, 1, "show", large));
	says(actor_every(self, DAY, "show", large));
	out_str(o, large);
	says(actor_send_out(self, other, "show", o));
	o = msg_values(self);
	out_str(o, large);
	says(actor_ask_out(self, other, "show", "got", DAY, o));
	actor_join(self, "club", "show");
	said += actor_publish(self, "club", large) != 1;
	return 0;
}

/* Memory is to blame, not the values. */
static int no_memory(actor *self, const msg *m)
{
	(void)m;
	kit_fail_alloc(1);
	assert_int_equal(actor_after(self, 1, "show", large), ACTOR_ENOMEM);
	kit_fail_alloc(1);
	assert_int_equal(actor_every(self, 1, "show", large), ACTOR_ENOMEM);
	return 0;
}

static void test_no_memory(void **state)
{
	(void)state;
	do_this(no_memory);
	assert_int_equal(ticks, 0);
}

static int keep(actor *self, const msg *m)
{
	int rc = actor_stash(self, m);

	return rc < 0 ? msg_fail(m, "no room to keep it: %d", rc) : 0;
}

static int bring_back(actor *self, const msg *m)
{
	(void)m;
	script = show;
	actor_unstash(self);
	return 0;
}

/* True: one of them did fail. */
static bool with_failure(unsigned n)
{
	unsigned before, asked;

	begin(NULL);
	said = 0;
	before = kit_allocs();
	kit_fail_alloc(n);
	do_this(everything);
	kit_run_for(10);
	asked = 2;
	script = keep;
	said += kit_send("doer", "act", large) != 0;
	kit_run();
	do_this(bring_back);
	if (kit_allocs() - before < n) {
		assert_int_equal(said, 0);
		assert_int_equal(answers, asked);
		assert_int_equal(last_error, 0);
		end(NULL);
		return false;
	}
	/* Told to who called, or to who asked: two questions, two answers or a refusal. */
	kit_fail_alloc(0);
	kit_run_for(2 * DAY);
	assert_true(said <= 1);
	assert_true(answers == asked || (answers == asked - 1 && said == 1));
	do_this(everything);
	end(NULL);
	return true;
}

static void test_each_allocation_fails(void **state)
{
	unsigned n = 1;

	(void)state;
	while (with_failure(n))
		n++;
	print_message("%u allocations failed, one at a time\n", n - 1);
	assert_true(n > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dead_never_born_and_foreign, begin, end),
		cmocka_unit_test_setup_teardown(test_odd_names, begin, end),
		cmocka_unit_test_setup_teardown(test_values_that_do_not_fit, begin, end),
		cmocka_unit_test_setup_teardown(test_to_oneself, begin, end),
		cmocka_unit_test_setup_teardown(test_stops_from_within, begin, end),
		cmocka_unit_test_setup_teardown(test_odd_moments, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
		cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
		cmocka_unit_test(test_each_allocation_fails),
	};

	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
