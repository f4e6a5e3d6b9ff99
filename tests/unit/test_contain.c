/* SPDX-License-Identifier: MIT
 * What compiled code does wrong is its message's end and nobody else's: each fault again and again,
 * while other actors send to each other, and none of their messages is lost. By an actor's own code
 * first, then by the same code as a patch that stays on probation (FAULTS_LONG: as often). */
#include "asking.h"
#include "guard.h"

#ifdef __has_feature
#define ASAN_CLANG __has_feature(address_sanitizer)
#else
#define ASAN_CLANG 0
#endif
#if defined(__SANITIZE_ADDRESS__) || ASAN_CLANG
enum { ASAN = 1, TIMES = 100 };
#elif defined(__SANITIZE_THREAD__)
enum { ASAN = 0, TIMES = 100 };
#else
enum { ASAN = 0, TIMES = 1000 };
#endif
enum { LOOPS = 100, PAIRS = 4, BURST = 8, BACKLOG = 1000 };

static void ask_int(const char *who, const char *what, int64_t v)
{
	struct buf args = { 0 };

	pack_int(&args, v);
	ask(FROM_CONTROL, who, what, &args, 1);
}

static void ask_none(const char *what)
{
	struct buf args = { 0 };

	ask(FROM_CONTROL, "faulty", what, &args, 0);
}

/* --- the others: each counts what it sends to its neighbour, and what comes ---------- */

static _Atomic int64_t sent, came;
static _Atomic bool loaded;

static int relay(actor *self, const msg *m)
{
	int64_t left = msg_int(m, 0);
	char next[16];

	came++;
	if (!left && (!loaded || sent - came > BACKLOG))
		return 0;
	snprintf(next, sizeof next, "relay%d", (actor_name(self)[5] - '0' + 1) % PAIRS);
	for (int i = 0; i < (left ? 1 : BURST); i++)
		if (!actor_send(self, actor_find(next), "relay", left ? left - 1 : 50))
			sent++;
	return 0;
}

static const struct actor_type relay_type = {
	.name = "relay", .on = ON({ "relay", "left:int", relay, 0 }),
	.mailbox = { .messages = 32767, .bytes = 32 << 20 },
};

static void load_begin(void)
{
	struct why why;
	struct type *t = core_type("relay");
	char name[16];

	t = t ? t : core_add_type(&relay_type, NULL, NULL, &why);
	sent = came = 0;
	loaded = true;
	for (int i = 0; i < PAIRS; i++) {
		struct spawn s = { .type = t, .name = name };
		struct call c = { .what = "relay", .count = 1 };
		struct buf args = { 0 };

		snprintf(name, sizeof name, "relay%d", i);
		core_spawn(&s, &(actor_id){ 0 }, &why);
		pack_int(&args, 50);
		c.to = actor_find(name);
		c.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
		assert_int_equal(core_send(NULL, &c, &why), 0);
		sent++;
		buf_fini(&args);
	}
}

static void load_end(void)
{
	loaded = false;
	assert_true(core_drain(20000));
	if (came != sent || !sent)
		fail_msg("%lld sent, %lld came", (long long)sent, (long long)came);
}

/* --- faults ----------------------------------------------------------------------------- */

static bool patched;

static void again(const char *who, int kind, int times, const char *said)
{
	if (patched && !getenv("FAULTS_LONG"))
		times /= 10;
	load_begin();
	for (int i = 0; i < times; i++) {
		ask_int(who, "fault", kind);
		if (code != ACTOR_EFAIL || !strstr(words, said) || !strstr(words, ".fault"))
			break;
	}
	load_end();
	if (code != ACTOR_EFAIL || !strstr(words, said))
		fail_msg("wanted `%s` in %d: %s", said, code, words);
}

static void looped(int kind)
{
	guard_signals();
	again("looping", kind, LOOPS, "longer under way than its 10 ms at ");
}

static void contained(int kind, int times, const char *said)
{
	guard_signals();                        /* cmocka took them for this test */
	ask_int("faulty", "set", kind);
	again("faulty", kind, times, said);
	ask_none("get");
	assert_int_equal(code, 0);
	assert_int_equal(number, kind);         /* its state is as it was before the message */
}

#define FAULT(name, ...) static void name(void **state) { (void)state; contained(__VA_ARGS__); }
FAULT(null_pointer, 0, TIMES, "a bad pointer (0)")
FAULT(wild_jump, 1, TIMES, "a jump to 0x1234")
FAULT(division_by_zero, 2, TIMES, "a division by zero")
FAULT(endless_recursion, 3, TIMES, "no stack left")
FAULT(frame_of_100_mb, 4, TIMES, "no stack left")
FAULT(bad_text_replied, 6, TIMES, "a bad pointer (0x8)")
FAULT(recursion_that_calls_us, 9, TIMES, "no stack left")
FAULT(write_to_code, 11, TIMES, "a bad pointer")
FAULT(address_that_is_none, 12, TIMES, "a bad pointer")

static void endless_loop(void **state) { (void)state; looped(0); }
static void endless_memset(void **state) { (void)state; looped(1); }
static void endless_calls(void **state) { (void)state; looped(2); }

/* ASan sees these first, in its own functions of those names, and ends the process. */
static void by_the_c_library(int kind, int times, const char *said)
{
	if (ASAN)
		skip();
	contained(kind, times, said);
}
#define C_FAULT(name, ...)                                                                         \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		by_the_c_library(__VA_ARGS__);                                                     \
	}
C_FAULT(bad_text_read, 5, TIMES, "a bad pointer (0x8)")
C_FAULT(bad_text_logged, 7, TIMES, "a bad pointer (0x8)")
C_FAULT(recursion_with_texts, 8, TIMES, "no stack left")
C_FAULT(smashed_frame, 10, TIMES, "a bad pointer")

static int start_all(void **state)
{
	int rc = start(state);

	load(SOURCE_DIR "/tests/unit/faulty.c", "faulty");
	load(SOURCE_DIR "/tests/unit/looping.c", "looping");
	return rc;
}

/* The actor's source once more, as a patch of it that bears any number of faults. */
static void patch_with(const char *path, const char *table)
{
	static const char *const options[] = {
		"probation", "messages=1000000000,seconds=86400,faults=1000000000",
	};
	struct buf source = { 0 }, args = { 0 };
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	buf_reserve(&source, 65536);
	n = fread(source.p, 1, 65536, f);
	source.len = n;
	fclose(f);
	buf_text(&source, table);
	pack_str(&args, source.p, source.len);
	pack_map(&args, 1);
	texts(&args, options, 2);
	buf_fini(&source);
	ask(FROM_CONTROL, "patch", "apply", &args, 2);
	if (code)
		fail_msg("%s", words);
}

static int patch_all(void **state)
{
	(void)state;
	patched = true;
	patch_with(SOURCE_DIR "/tests/unit/faulty.c",
	           "const struct actor_type patch = { .name = \"faulty\", .state = sizeof(struct "
	           "faulty), .on = ON({ \"fault\", \"kind:int\", fault, 0 }, { \"set\", "
	           "\"n:int\", set, 0 }, { \"get\", \"\", get, 0 }) };");
	patch_with(SOURCE_DIR "/tests/unit/looping.c",
	           "const struct actor_type patch = { .name = \"looping\", "
	           ".on = ON({ \"fault\", \"kind:int\", fault, 0 }) };");
	return 0;
}

/* Both are still there, and on probation. */
static int stay_and_stop(void **state)
{
	answers = 0;
	send_from(FROM_CONTROL, "patch", "list", "got_list", &(struct buf){ 0 }, 0);
	wait_for(1);
	return strstr(words, "state=probation;targets=faulty") &&
	       strstr(words, "state=probation;targets=looping") ? stop(state) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_pointer),
		cmocka_unit_test(wild_jump),
		cmocka_unit_test(division_by_zero),
		cmocka_unit_test(endless_recursion),
		cmocka_unit_test(frame_of_100_mb),
		cmocka_unit_test(bad_text_read),
		cmocka_unit_test(bad_text_replied),
		cmocka_unit_test(bad_text_logged),
		cmocka_unit_test(recursion_with_texts),
		cmocka_unit_test(recursion_that_calls_us),
		cmocka_unit_test(smashed_frame),
		cmocka_unit_test(write_to_code),
		cmocka_unit_test(address_that_is_none),
		cmocka_unit_test(endless_loop),
		cmocka_unit_test(endless_memset),
		cmocka_unit_test(endless_calls),
	};

	int failed = cmocka_run_group_tests(tests, start_all, NULL);

	return failed + cmocka_run_group_tests_name("on probation", tests, patch_all,
	                                            stay_and_stop);
}
