/* SPDX-License-Identifier: MIT
 * test_draft.c - what a handler on probation did is as if it had never been, when it faults: each
 * thing that a handler can do, with a fault behind it and then without. */
#include <time.h>

#include "asking.h"
#include "guard.h"
#include "ports.h"

static int64_t patch_number;
static _Atomic int64_t noted;

static int note(actor *self, const msg *m)
{
	(void)self;
	noted += msg_int(m, 0);
	return 0;
}

static int asked(actor *self, const msg *m)
{
	(void)self;
	noted += 100;
	return msg_reply(m, 1);
}

static const struct actor_type sink_type = {
	.name = "sink",
	.on = ON({ "note", "v:int", note, 0 }, { "ask", "", asked, 0 },
	         { "ask2", "a:int b:int", asked, 0 }),
	.mailbox = { .messages = 200 },
};
static const struct actor_type peer_type = {
	.name = "peer", .restart = RESTART_TEMPORARY, .on = ON({ "fail", "", note, 0 }),
};

static void spawn(const struct actor_type *t)
{
	struct why why = { "" };
	struct type *type = core_type(t->name);
	struct spawn s = { .name = t->name };

	s.type = type ? type : core_add_type(t, NULL, NULL, &why);
	if (!s.type || core_spawn(&s, &(actor_id){ 0 }, &why) < 0)
		fail_msg("%s", why.text);
}

static void quiet(void)
{
	core_run_timers();
	assert_true(core_drain(20000));
}

static _Atomic int64_t ahead_ns;
static struct clock_port real;

static int64_t ahead(void *arg)
{
	return real.mono_ns(arg) + ahead_ns;
}

/* Timers come when they come. */
static void until(int64_t v)
{
	struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 20000 && noted != v; i++) {
		quiet();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
	}
	assert_int_equal(noted, v);
}

static void go(int what, int fails)
{
	struct buf args = { 0 };

	pack_int(&args, what);
	pack_int(&args, fails);
	ask(FROM_CONTROL, "drafter", "go", &args, 2);
	quiet();
}

/* Both ways of failing; what is noted of them is nothing. */
static void fails(int what)
{
	struct actor_info before, after;
	int64_t was = noted;

	assert_int_equal(core_inspect(actor_find("drafter"), &before), 0);
	for (int how = 1; how <= 2; how++) {
		go(what, how);
		assert_int_equal(code, ACTOR_EFAIL);
		if (!strstr(words, how == 1 ? "a division by zero" : "EFAIL"))
			fail_msg("%d: %s", what, words);
	}
	assert_int_equal(core_inspect(actor_find("drafter"), &after), 0);
	assert_int_equal(after.asks, before.asks);
	assert_int_equal(after.restarts, before.restarts);
	assert_int_equal(noted, was);
}

static int64_t get(const char *what)
{
	ask(FROM_CONTROL, "drafter", what, &(struct buf){ 0 }, 0);
	assert_int_equal(code, 0);
	return number;
}

static void arm(int ms)
{
	struct buf args = { 0 };

	pack_int(&args, ms);
	ask(FROM_CONTROL, "drafter", "arm", &args, 1);
	assert_int_equal(code, 0);
}

static int members(const char *group)
{
	return core_publish(NULL, group, (struct packed){ NULL, NULL }, 0);
}

/* --- each thing ------------------------------------------------------------------------- */

static void values_and_messages(void **state)
{
	int64_t was = noted, value = get("value");

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(0);
	fails(1);
	fails(2);
	assert_int_equal(get("value"), value);
	go(0, 0);                               /* 300: all but what met a full mailbox of 200 */
	assert_in_range(noted, was + 200, was + 300);
	was = noted - 200;
	go(1, 0);
	assert_int_equal(noted, was + 1300);
	go(2, 0);
	until(was + 2300);
	assert_int_equal(get("value"), value + 9);
	fails(17);
	go(17, 0);
	assert_int_equal(number, 9);
	assert_int_equal(noted, was + 3401);
}

static void timers(void **state)
{
	int64_t was = noted;

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	arm(600000);
	fails(3);
	ahead_ns += 600000000000;
	until(was + 1000);
	arm(100000);
	go(3, 0);
	assert_int_equal(code, 0);
	go(3, 0);
	assert_int_equal(code, ACTOR_EFAIL);
}

/* A caller who waits still, after a handler that answered it and failed; then it is answered. */
static void kept(int what, int gets_code, int64_t gets)
{
	struct buf args = { 0 };

	answers = 0;
	send_from(FROM_CONTROL, "drafter", "keep", "got", &args, 0);
	quiet();
	for (int how = 1; how <= 2; how++) {
		pack_int(&args, what);
		pack_int(&args, how);
		send_from(FROM_CONTROL, "drafter", "go", "got", &args, 2);
		wait_for(how);
		assert_int_equal(code, ACTOR_EFAIL);
	}
	pack_int(&args, what);
	pack_int(&args, 0);
	send_from(FROM_CONTROL, "drafter", "go", "got_none", &args, 2);
	wait_for(3);
	assert_int_equal(code, gets_code);
	assert_int_equal(number, gets);
}

static void callers(void **state)
{
	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(4);
	go(4, 0);
	assert_int_equal(number, 44);
	kept(5, 0, 55);
	kept(14, ACTOR_EFAIL, 0);
}

static void groups(void **state)
{
	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(6);
	assert_int_equal(members("more"), 0);
	go(6, 0);
	assert_int_equal(members("more"), 1);
	quiet();
	arm(100000);
	fails(7);
	assert_int_equal(members("drafters"), 1);
	quiet();
	fails(13);
	go(7, 0);
	assert_int_equal(members("drafters"), 0);
}

static void births(void **state)
{
	int64_t was = noted;

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(8);
	assert_false(core_alive(actor_find("the-kid")));
	assert_int_equal(noted, was);
	go(8, 0);
	assert_true(core_alive(actor_find("the-kid")));
	assert_int_equal(noted, was + 77);
}

static void ties_and_ends(void **state)
{
	int64_t was = noted;

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(9);
	fails(15);
	assert_true(core_alive(actor_find("peer")));
	assert_int_equal(core_stop_actor(actor_find("peer"), 0, NULL), 0);
	quiet();
	assert_int_equal(noted, was);
	spawn(&peer_type);
	go(9, 0);
	go(15, 0);
	quiet();
	assert_int_equal(noted, was + 5000);
	fails(16);
	assert_int_equal(get("odd"), 77);
}

static void modes_and_stashes(void **state)
{
	struct buf args = { 0 };

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(10);
	assert_true(get("value") >= 0);
	fails(18);
	answers = 0;
	for (int i = 0; i < 2; i++) {
		pack_int(&args, i);
		send_from(FROM_CONTROL, "drafter", "put", "got", &args, 1);
	}
	quiet();
	for (int how = 1; how <= 2; how++) {
		pack_int(&args, 11);
		pack_int(&args, how);
		send_from(FROM_CONTROL, "drafter", "go", "got", &args, 2);
		wait_for(how);
		assert_int_equal(code, ACTOR_EFAIL);
	}
	pack_int(&args, 11);
	pack_int(&args, 0);
	send_from(FROM_CONTROL, "drafter", "go", "got", &args, 2);
	wait_for(5);
	assert_int_equal(number, 101);          /* of the second that was stashed */
	go(10, 0);
	assert_int_equal(get("value"), -5);
}

/* Counted by the patch, freed with the actor. */
static void memory(void **state)
{
	uint32_t patch = (uint32_t)patch_number;
	uint64_t costs;

	(void)state;
	guard_signals();
	fails(19);
	assert_int_equal(core_patch_memory(patch), 0);
	go(19, 0);
	assert_int_equal(code, 0);
	costs = core_patch_memory(patch);
	assert_in_range(costs, 1000, 1100);
	fails(20);
	assert_int_equal(core_patch_memory(patch), costs);
	go(20, 0);
	assert_int_equal(core_patch_memory(patch), 0);
	go(19, 0);
	for (int what = 21; what <= 22; what++) {
		go(what, 0);
		assert_int_equal(code, ACTOR_EFAIL);
		assert_non_null(strstr(words, "a bad pointer"));
		assert_int_equal(core_patch_memory(patch), costs);
	}
	go(23, 0);
	assert_int_equal(code, 0);
	assert_int_equal(core_stop_actor(actor_find("drafter"), 0, NULL), 0);
	quiet();
	assert_int_equal(core_patch_memory(patch), 0);
}

static void forwards(void **state)
{
	int64_t was = noted;

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	fails(12);
	go(12, 0);
	assert_int_equal(code, 0);
	assert_int_equal(noted, was + 100);
}

/* Anew for each test: of twenty messages on, as many failures are the end of a patch. */
static int patch_it(void **state)
{
	static int n;
	FILE *f = fopen(SOURCE_DIR "/tests/unit/drafter_patch.c", "r");
	struct buf args = { 0 }, source = { 0 };

	(void)state;
	buf_reserve(&source, 65536);
	assert_non_null(f);
	source.len = fread(source.p, 1, 65000, f);
	fclose(f);
	buf_printf(&source, "/* %d */\n", n++);
	pack_str(&args, source.p, source.len);
	buf_fini(&source);
	pack_map(&args, 1);
	texts(&args, (const char *[]){ "probation", "messages=100000,faults=100000" }, 2);
	ask(FROM_CONTROL, "patch", "apply", &args, 2);
	if (code)
		fail_msg("%s", words);
	patch_number = number;
	return 0;
}

static int start_all(void **state)
{
	int rc;

	real = ports.clock;
	ports.clock.mono_ns = ahead;
	rc = start(state);
	load(SOURCE_DIR "/tests/unit/drafter.c", "drafter");
	spawn(&sink_type);
	spawn(&peer_type);
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(values_and_messages, patch_it),
		cmocka_unit_test_setup(timers, patch_it),
		cmocka_unit_test_setup(callers, patch_it),
		cmocka_unit_test_setup(groups, patch_it),
		cmocka_unit_test_setup(births, patch_it),
		cmocka_unit_test_setup(ties_and_ends, patch_it),
		cmocka_unit_test_setup(forwards, patch_it),
		cmocka_unit_test_setup(modes_and_stashes, patch_it),
		cmocka_unit_test_setup(memory, patch_it),
	};

	return cmocka_run_group_tests(tests, start_all, stop);
}
