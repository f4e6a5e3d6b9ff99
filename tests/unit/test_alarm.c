/* SPDX-License-Identifier: MIT
 * test_alarm.c - timers that come again, in a running pool with clocks that the test sets;
 * asks whose asker gave up. */
#include <stdlib.h>

#include "running.h"

enum { MINUTE = 60000, HOUR = 3600000 };
static const int64_t NOON = 1774785600000;      /* 2026-03-29 12:00 UTC */
static _Atomic int64_t even_ms = 1000000, wall;
static actor_id kit;

static int64_t even(void *arg)
{
	(void)arg;
	return even_ms * 1000000;
}

static int64_t set_by_people(void *arg)
{
	(void)arg;
	return wall;
}

/* Both clocks go on, and what is due comes. */
static void pass(int64_t ms)
{
	even_ms += ms;
	wall += ms;
	core_run_timers();
}

/* --- an actor that sets timers as it is told ---------------------------------- */

static int64_t number;
static _Atomic int ticks;

static int tick(actor *self, const msg *m)
{
	(void)self;
	ticks++;
	happened(msg_int(m, 0), "tick");
	return 0;
}

static int tick_once(actor *self, const msg *m)
{
	happened(actor_cancel(self, number), msg_str(m, 0));
	return 0;
}

static int tell(actor *self, const msg *m)
{
	(void)self;
	happened(msg_int(m, 0), "told");
	return 0;
}

static int every(actor *self, const msg *m)
{
	number = actor_every(self, msg_int(m, 0), "tick", 7);
	return tell(self, m);
}

static int every_text(actor *self, const msg *m)
{
	number = actor_every(self, 10, "tick_once",
	                     "a text that is longer than what fits a slot of a message");
	return tell(self, m);
}

static int cron(actor *self, const msg *m)
{
	number = actor_cron(self, msg_str(m, 0), "tick", 8);
	return tell(self, m);
}

static int window(actor *self, const msg *m)
{
	number = actor_window(self, 10, msg_str(m, 0), msg_str(m, 1), "tick", 9);
	return tell(self, m);
}

static int after(actor *self, const msg *m)
{
	number = actor_after(self, msg_int(m, 0), "tick", 6);
	return tell(self, m);
}

static int cancel(actor *self, const msg *m)
{
	int rc = actor_cancel(self, number);

	(void)m;
	happened(rc, "cancelled");
	return 0;
}

static int wrong(actor *self, const msg *m)
{
	(void)m;
	happened(actor_every(self, 10, "no such") + 100 * actor_every(self, 10, "tick", "text") +
	         10000 * actor_every(self, 0, "tick", 1), "wrong");
	return 0;
}

/* Blocks its worker until it is let go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int block(actor *self, const msg *m)
{
	(void)self, (void)m;
	happened(0, "blocked");
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

static int got(actor *self, const msg *m)
{
	(void)self;
	happened(msg_error(m), "got");
	return 0;
}

static int ask(actor *self, const msg *m)
{
	int64_t asked = actor_ask(self, actor_find("asked"), "tick", "got", (int)msg_int(m, 0), 5);

	happened(asked > 0, "asked");
	return 0;
}

static int ask_staying(actor *self, const msg *m)
{
	struct buf b = { 0 };
	struct call c = { .to = actor_find("asked"), .what = "tick", .count = 1, .stays = true };

	pack_int(&b, 5);
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	happened(core_ask(self, &c, "got", (int)msg_int(m, 0), NULL) > 0, "asked");
	buf_fini(&b);
	return 0;
}

static const struct actor_type kit_type = {
	.name = "kit",
	.on = ON({ "tick", "n:int", tick, 0 }, { "tick_once", "text:str", tick_once, 0 },
	         { "tell", "n:int", tell, 0 }, { "every", "ms:int", every, 0 },
	         { "every_text", "n:int", every_text, 0 }, { "cron", "line:str", cron, 0 },
	         { "window", "first:str last:str", window, 0 }, { "after", "ms:int", after, 0 },
	         { "cancel", "", cancel, 0 }, { "wrong", "", wrong, 0 }, { "block", "", block, 0 },
	         { "got", "...", got, 0 }, { "ask", "ms:int", ask, 0 },
	         { "ask_staying", "ms:int", ask_staying, 0 }),
};

/* --- telling it --------------------------------------------------------------- */

static void send_to(actor_ref to, const char *what, const char *first, const char *second,
                    int64_t n)
{
	struct buf b = { 0 };
	struct call c = { .to = to, .what = what };
	struct why why = { "" };

	if (first)
		pack_text(&b, first);
	if (second)
		pack_text(&b, second);
	if (n >= 0)
		pack_int(&b, n);
	c.count = (first != NULL) + (second != NULL) + (n >= 0);
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	if (core_send(NULL, &c, &why) < 0)
		fail_msg("%s: %s", what, why.text);
	buf_fini(&b);
}

/* Sends and waits until it says so; whatever was in its mailbox before has been handled then. */
static void tell_it(const char *what, const char *first, const char *second, int64_t n)
{
	pthread_mutex_lock(&lock);
	events = 0;
	pthread_mutex_unlock(&lock);
	send_to(kit, what, first, second, n);
	expect_events(1);
}

/* How often it has ticked since, all that was due having been handled. */
static int ticked(void)
{
	int n;

	send_to(kit, "tell", NULL, NULL, 4242);
	pthread_mutex_lock(&lock);
	while (last != 4242)
		pthread_cond_wait(&changed, &lock);
	last = 0;
	pthread_mutex_unlock(&lock);
	n = ticks;
	ticks = 0;
	return n;
}

static int ticked_in(int64_t ms)
{
	pass(ms);
	return ticked();
}

static int begin(void **state)
{
	setup(state);
	wall = NOON;
	ticks = 0;
	kit = spawn(core_type("kit"), NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	core_end(kit);
	UNTIL(!core_alive(kit));
	return 0;
}

static void test_every(void **state)
{
	(void)state;
	tell_it("every", NULL, NULL, 10);
	assert_true(number > 0);
	assert_int_equal(ticked_in(9), 0);
	assert_int_equal(ticked_in(1), 1);
	assert_int_equal(ticked_in(9), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(ticked_in(10), 1);
	assert_int_equal(ticked_in(1005), 1);           /* a hundred were missed */
	assert_int_equal(ticked_in(4), 0); /* and the beat is kept: 9 + 10 * 20 + 1 + 1005 + 5 */
	assert_int_equal(ticked_in(2), 1);
	tell_it("cancel", NULL, NULL, -1);
	assert_int_equal(last, 0);
	assert_int_equal(ticked_in(1000), 0);
	tell_it("cancel", NULL, NULL, -1);
	assert_int_equal(last, ACTOR_ENOENT);
}

static void test_one_that_cancels_itself(void **state)
{
	(void)state;
	tell_it("every_text", NULL, NULL, 1);
	pass(10);
	expect_events(2);
	assert_int_equal(last, 0);
	assert_string_equal(last_text, "a text that is longer than what fits a slot of a message");
	assert_int_equal(ticked_in(1000), 0);
	expect_events(3);
}

static void test_cron(void **state)
{
	(void)state;
	tell_it("cron", "*/5 * * * *", NULL, -1);
	assert_true(number > 0);
	assert_int_equal(ticked_in(5 * MINUTE - 1), 0);
	assert_int_equal(ticked_in(1), 1);
	assert_int_equal(ticked_in(4 * MINUTE), 0);
	assert_int_equal(ticked_in(HOUR), 1);
	assert_int_equal(ticked_in(MINUTE), 1);
	tell_it("cancel", NULL, NULL, -1);
	assert_int_equal(ticked_in(10 * MINUTE), 0);
}

/* Somebody sets the clock: seen within a second. */
static void test_the_clock_is_set(void **state)
{
	(void)state;
	tell_it("cron", "0 * * * *", NULL, -1);
	wall += 50 * MINUTE;
	assert_int_equal(ticked_in(1000), 0);
	assert_int_equal(ticked_in(10 * MINUTE - 1001), 0);
	assert_int_equal(ticked_in(1), 1);
	wall += 7 * HOUR;
	assert_int_equal(ticked_in(1000), 1);
	wall -= 5 * HOUR;
	assert_int_equal(ticked_in(1000), 0);
	assert_int_equal(ticked_in(HOUR - 3000), 0);
	assert_int_equal(ticked_in(3000), 1);
	tell_it("cancel", NULL, NULL, -1);
}

static void test_window(void **state)
{
	(void)state;
	tell_it("window", "2026-03-29 12:00:01", "2026-03-29 12:00:02", -1);
	assert_true(number > 0);
	assert_int_equal(ticked_in(999), 0);
	assert_int_equal(ticked_in(1), 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ticked_in(10), 1);
	assert_int_equal(ticked_in(10), 0);             /* over, and gone */
	tell_it("cancel", NULL, NULL, -1);
	assert_int_equal(last, ACTOR_ENOENT);
	tell_it("window", "2006-01-02 15:04:05", "3006-01-02 15:04:05", -1);
	assert_int_equal(ticked_in(10), 1);
	tell_it("window", "2006-01-02 15:04:05", "2006-01-03 15:04:05", -1);
	assert_int_equal(number, ACTOR_ETIME);
	tell_it("window", "2006-01-03", "2006-01-02", -1);
	assert_int_equal(number, ACTOR_EARGS);
	tell_it("window", "some day", "", -1);
	assert_int_equal(number, ACTOR_EARGS);
}

static void test_refusals(void **state)
{
	(void)state;
	tell_it("wrong", NULL, NULL, -1);
	assert_int_equal(last, ACTOR_ENOENT + 100 * ACTOR_EARGS + 10000 * ACTOR_EARGS);
	tell_it("cron", "0 0 30 2 *", NULL, -1);
	assert_int_equal(number, ACTOR_EARGS);
	tell_it("cron", "", NULL, -1);
	assert_int_equal(number, ACTOR_EARGS);
}

static void test_far(void **state)
{
	const int64_t years = 90ll * 365 * 24 * HOUR;   /* a clock of ns ends after 292 */

	(void)state;
	tell_it("after", NULL, NULL, years);
	assert_true(number > 0);
	assert_int_equal(ticked_in(years - 1), 0);
	assert_int_equal(ticked_in(1), 1);
	tell_it("after", NULL, NULL, 4 * years);
	assert_true(number > 0);
	tell_it("after", NULL, NULL, INT64_MAX);
	assert_int_equal(ticked_in(years), 0);
	tell_it("every", NULL, NULL, INT64_MAX);
	assert_int_equal(ticked_in(years), 0);
	tell_it("after", NULL, NULL, 0);
	assert_int_equal(ticked_in(1), 1);
}

/* Ends with timers of all kinds pending. */
static void test_an_end(void **state)
{
	tell_it("every", NULL, NULL, 10);
	tell_it("cron", "* * * * *", NULL, -1);
	tell_it("window", "2026-03-29 12:00:01", "", -1);
	end(state);
	pass(HOUR);
	assert_int_equal(ticks, 0);
}

static void test_the_asker_gave_up(void **state)
{
	struct core_totals before, now;
	actor_id asked = spawn(core_type("kit"), "asked");

	(void)state;
	core_totals(&before);
	pthread_mutex_lock(&gate);
	send_to(asked, "block", NULL, NULL, -1);
	expect_events(1);
	send_to(kit, "ask", NULL, NULL, 50);
	expect_events(2);
	pass(49);
	send_to(kit, "ask", NULL, NULL, 50);
	expect_events(3);
	pass(1);
	expect_events(4);
	assert_int_equal(last, ACTOR_ETIME);
	assert_string_equal(last_text, "got");
	pthread_mutex_unlock(&gate);
	expect_events(6);                               /* the second was handled, and answered */
	do
		core_totals(&now);
	while (now.waiting);
	assert_int_equal(now.expired - before.expired, 1);
	assert_int_equal(ticks, 1);
	core_end(asked);
}

/* It hears in time that there is no answer; what it asked for is done all the same. */
static void test_the_asker_gave_up_and_it_stays(void **state)
{
	actor_id asked = spawn(core_type("kit"), "asked");

	(void)state;
	pthread_mutex_lock(&gate);
	send_to(asked, "block", NULL, NULL, -1);
	expect_events(1);
	send_to(kit, "ask_staying", NULL, NULL, 50);
	expect_events(2);
	pass(50);
	expect_events(3);
	assert_int_equal(last, ACTOR_ETIME);
	assert_string_equal(last_text, "got");
	pthread_mutex_unlock(&gate);
	expect_events(4);
	assert_int_equal(ticks, 1);
	core_end(asked);
}

static int all_begin(void **state)
{
	struct core_config c = { .workers = 2 };
	struct why why;

	(void)state;
	setenv("TZ", "UTC0", 1);
	wall = NOON;
	ports.clock.mono_ns = even;
	ports.clock.wall_ms = set_by_people;            /* core_stop() waits by the third */
	if (core_start(&c, &why) < 0)
		return -1;
	add(&kit_type);
	return 0;
}

static int all_end(void **state)
{
	(void)state;
	return !core_stop(5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every, begin, end),
		cmocka_unit_test_setup_teardown(test_one_that_cancels_itself, begin, end),
		cmocka_unit_test_setup_teardown(test_cron, begin, end),
		cmocka_unit_test_setup_teardown(test_the_clock_is_set, begin, end),
		cmocka_unit_test_setup_teardown(test_window, begin, end),
		cmocka_unit_test_setup_teardown(test_refusals, begin, end),
		cmocka_unit_test_setup_teardown(test_far, begin, end),
		cmocka_unit_test_setup_teardown(test_an_end, begin, end),
		cmocka_unit_test_setup_teardown(test_the_asker_gave_up, begin, end),
		cmocka_unit_test_setup_teardown(test_the_asker_gave_up_and_it_stays, begin, end),
	};

	(void)group_setup, (void)group_teardown;
	return cmocka_run_group_tests(tests, all_begin, all_end);
}
