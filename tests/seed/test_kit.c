/* SPDX-License-Identifier: MIT
 * test_kit.c - the kit keeps its word: whose turn it is, when time passes, what is expected,
 * forbidden, full or out of memory; and an example of how an actor is tested with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "kit.h"

/* --- two actors -------------------------------------------------------------------------- */

struct till { int64_t total, answers, late, large; };

static int hit(actor *self, const msg *m)
{
	struct till *t = actor_state(self);

	t->total += msg_int(m, 0);
	return msg_reply(m, t->total);
}

static int hit_double(actor *self, const msg *m)
{
	struct till *t = actor_state(self);

	t->total += 2 * msg_int(m, 0);
	return msg_reply(m, t->total);
}

static int mute(actor *self, const msg *m)
{
	(void)self;
	msg_defer(m);
	return 0;
}

static int show(actor *self, const msg *m)
{
	struct till *t = actor_state(self);

	t->large += (int64_t)msg_len(m, 0);
	return 0;
}

static int ask(actor *self, const msg *m)
{
	return actor_ask(self, actor_find("till"), msg_str(m, 0), "got", 50, 5) < 0
		? ACTOR_EFAIL : 0;
}

static int got(actor *self, const msg *m)
{
	struct till *t = actor_state(self);

	t->answers++;
	t->late += msg_error(m) == ACTOR_ETIME;
	if (msg_error(m) == ACTOR_ETIME && kit_now() != 50)
		kit_failed("an answer is given up at %lld ms", (long long)kit_now());
	return (int)actor_after(self, 25, "wake") < 0 ? ACTOR_EFAIL : 0;
}

static int wake(actor *self, const msg *m)
{
	static char text[3000];

	(void)m;
	memset(text, 'x', sizeof text - 1);
	actor_send(self, actor_find("till"), "show", text);
	return 0;
}

static const struct actor_type till = {
	.name = "till", .state = sizeof(struct till),
	.on = ON({ "hit", "by:int", hit, 0 }, { "mute", "n:int", mute, 0 },
	         { "show", "what:str", show, 0 }, { "noop", "", show, 0 }),
	.mailbox = { .messages = 5 },
};
static const struct actor_type buyer = {
	.name = "buyer", .state = 1000,         /* too large for the cell: its memory can fail */
	.on = ON({ "ask", "what:str", ask, 0 }, { "got", "total:int", got, 0 },
	         { "wake", "", wake, 0 }),
};

/* --- turns, time ------------------------------------------------------------------------- */

static void begin(uint64_t seed)
{
	kit_begin(seed);
	assert_true(kit_spawn(&till, "till"));
	assert_true(kit_spawn(&buyer, "buyer"));
	kit_run();
}

static void test_expected_messages_pass(void **state)
{
	(void)state;
	begin(1);
	kit_expect("till", "hit", 2);
	kit_expect(NULL, "got", 1);
	assert_int_equal(kit_send("till", "hit", 1), 0);
	assert_int_equal(kit_send("buyer", "ask", "hit"), 0);
	kit_run();
	assert_int_equal(kit_passed("till", "hit"), 2);
	assert_int_equal(kit_passed(NULL, NULL), 4);
	kit_end();
}

static void test_messages_pass_one_by_one(void **state)
{
	(void)state;
	begin(1);
	kit_one_by_one(true);
	for (int i = 0; i < 3; i++)
		kit_send("till", "hit", 1);
	assert_false(kit_pass("buyer"));
	assert_true(kit_pass("till"));
	assert_int_equal(kit_passed("till", "hit"), 1);
	assert_true(kit_step());
	assert_int_equal(kit_passed("till", "hit"), 2);
	kit_run();
	assert_int_equal(kit_passed("till", "hit"), 3);
	assert_false(kit_step());
	kit_end();
}

/* --- questions share one entry in the wheels: each is late on its own time all the same --- */

enum { ASKED = 60, STEP_MS = 10, TIMES = 6 };

static struct { int64_t number[ASKED]; int late[TIMES + 1], answers, again; } asked;

static int due_ms(int i)
{
	return STEP_MS * (TIMES - i % TIMES);           /* the last that asks is due first */
}

static int ask_many(actor *self, const msg *m)
{
	(void)m;
	for (int i = 0; i < ASKED; i++)
		asked.number[i] = actor_ask(self, actor_find("mutes"), i % 5 ? "mute" : "tell",
		                            "heard", due_ms(i), i);
	return 0;
}

static int heard(actor *self, const msg *m)
{
	int i = 0;

	while (i < ASKED && asked.number[i] != msg_ask(m))
		i++;
	assert_true(i < ASKED);
	if (!msg_error(m)) {
		asked.answers++;
		return 0;
	}
	asked.late[due_ms(i) / STEP_MS]++;
	if (kit_now() < due_ms(i) || kit_now() >= due_ms(i) + STEP_MS)
		kit_failed("what is due at %d ms is late at %lld ms", due_ms(i),
		           (long long)kit_now());
	if (asked.again++ < 2)                          /* due before all that wait */
		return actor_ask(self, actor_find("mutes"), "mute", "heard_again", 1, 0) < 0;
	return 0;
}

static int heard_again(actor *self, const msg *m)
{
	(void)self;
	if (msg_error(m) != ACTOR_ETIME || kit_now() >= 2 * STEP_MS)
		kit_failed("a question of 1 ms ends at %lld ms", (long long)kit_now());
	return 0;
}

static int tell(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m);
}

static const struct actor_type mutes = {
	.name = "mutes", .on = ON({ "mute", "n:int", mute, 0 }, { "tell", "n:int", tell, 0 }),
};
static const struct actor_type asker = {
	.name = "asker",
	.on = ON({ "ask_many", "", ask_many, 0 }, { "heard", "...", heard, 0 },
	         { "heard_again", "...", heard_again, 0 }),
};

static void test_each_question_is_late_on_its_own_time(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof asked);
	kit_begin(1);
	assert_true(kit_spawn(&mutes, "mutes"));
	assert_true(kit_spawn(&asker, "asker"));
	kit_run();
	kit_send("asker", "ask_many");
	kit_run_for(STEP_MS * (TIMES + 1));
	assert_int_equal(asked.answers, ASKED / 5);
	for (int i = 1; i <= TIMES; i++)
		assert_int_equal(asked.late[i], (ASKED - ASKED / 5) / TIMES);
	assert_int_equal(kit_passed("asker", "heard_again"), 2);
	kit_end();
}

static void test_time_is_virtual(void **state)
{
	(void)state;
	begin(1);
	kit_send("buyer", "ask", "mute");
	kit_run_for(49);
	assert_int_equal(kit_passed("buyer", "got"), 0);
	kit_run_for(1);
	assert_int_equal(kit_passed("buyer", "got"), 1);
	kit_run_for(24);
	assert_int_equal(kit_passed("buyer", "wake"), 0);
	kit_run_for(1);
	assert_int_equal(kit_passed("buyer", "wake"), 1);
	assert_int_equal(kit_now(), 75);
	kit_end();
}

/* --- faults ------------------------------------------------------------------------------ */

static void test_full_mailboxes_and_kills(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(kit_fill("till", "noop"), 5);
	assert_int_equal(kit_send("till", "hit", 1), ACTOR_EFULL);
	kit_kill("till");
	kit_run();
	assert_int_equal(kit_passed("till", "noop"), 0);
	assert_int_equal(kit_send("till", "hit", 1), ACTOR_ENOENT);
	assert_true(kit_spawn(&till, "till"));
	assert_int_equal(kit_send("till", "hit", 1), 0);
	kit_end();
}

static void test_a_patch_holds_until_the_end(void **state)
{
	static const struct actor_handler with[] = {
		{ "hit", "by:int", hit_double, 0 }, { 0, 0, 0, 0 },
	};
	uint64_t patched, plain;

	(void)state;
	begin(1);
	kit_patch(&till, with);
	kit_send("buyer", "ask", "hit");
	kit_run();
	patched = kit_end();
	begin(1);
	kit_send("buyer", "ask", "hit");
	kit_run();
	plain = kit_end();
	assert_int_not_equal(patched, plain);   /* the answer is in the trace */
}

/* Whatever fails, what is there goes on, and is accounted for. True: something did. */
static bool with_failure(unsigned n)
{
	unsigned before;
	bool buyers;

	kit_begin(1);
	before = kit_allocs();
	kit_fail_alloc(n);
	kit_spawn(&till, "till");
	buyers = kit_spawn(&buyer, "buyer");
	kit_run();
	assert_int_equal(kit_send("buyer", "ask", "hit"), buyers ? 0 : ACTOR_ENOENT);
	kit_run_for(100);
	assert_int_equal(kit_passed("buyer", "got"), buyers && n != 1);
	assert_int_equal(kit_passed("till", "show"), n > 4);
	kit_end();
	return n <= kit_allocs() - before;
}

static void test_the_nth_allocation_fails(void **state)
{
	unsigned n = 1;

	(void)state;
	while (with_failure(n))
		n++;
	assert_int_equal(n, 5);         /* two births, a large state, a large message */
}

/* --- what is wrong is said --------------------------------------------------------------- */

static void forbidden(void)
{
	kit_forbid("till", NULL);
	kit_send("till", "hit", 1);
	kit_run();
}

static void missing(void)
{
	kit_expect("till", "hit", 1);
	kit_end();
}

static void one_too_many(void)
{
	kit_forbid(NULL, NULL);
	kit_allow("buyer", NULL);
	kit_expect("till", "hit", 1);
	kit_send("till", "hit", 1);
	kit_send("buyer", "ask", "hit");
	kit_run();
}

static int again(actor *self, const msg *m)
{
	(void)m;
	return actor_send(self, actor_find(actor_name(self)), "again");
}

static const struct actor_type top = { .name = "top", .on = ON({ "again", "", again, 0 }) };

static void no_end(void)
{
	kit_spawn(&top, "top");
	kit_send("top", "again");
	kit_run();
}

/* fn ends the process, and says words. */
static void fails(void (*fn)(void), const char *words)
{
	char said[400] = "";
	int from[2], status;
	pid_t child;
	size_t at = 0;
	ssize_t n;

	assert_int_equal(pipe(from), 0);
	child = fork();
	if (!child) {
		dup2(from[1], 2);
		begin(7);
		fn();
		_exit(0);
	}
	close(from[1]);
	while ((n = read(from[0], said + at, sizeof said - 1 - at)) > 0)
		at += (size_t)n;
	close(from[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_non_null(strstr(said, words));
	assert_non_null(strstr(said, "replay: SEED=7 "));
}

static void test_failures_are_said(void **state)
{
	(void)state;
	fails(forbidden, "till.hit is forbidden");
	fails(missing, "till.hit is expected 1 times, 1 are missing");
	fails(one_too_many, "till.hit is expected 1 times, here is one more");
	fails(no_end, "no end after");
}

/* --- the hash ---------------------------------------------------------------------------- */

static uint64_t market(uint64_t seed)
{
	begin(seed);
	for (int i = 0; i < 20; i++) {
		kit_send("till", "hit", (int)kit_random(100));
		kit_send("buyer", "ask", i % 3 ? "hit" : "show");
		for (unsigned n = kit_random(4); n--; )
			kit_step();
	}
	kit_run_for(100);
	return kit_end();
}

/* The number was written down when the kit was made. It is another only where what actors see of
 * the core's order has been changed on purpose. */
static void test_the_hash_is_the_same_everywhere(void **state)
{
	(void)state;
	assert_int_equal(market(1), market(1));
	assert_int_not_equal(market(1), market(2));
	assert_int_equal(market(1), 0x40e44cd2cf5a95a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected_messages_pass),
		cmocka_unit_test(test_messages_pass_one_by_one),
		cmocka_unit_test(test_each_question_is_late_on_its_own_time),
		cmocka_unit_test(test_time_is_virtual),
		cmocka_unit_test(test_full_mailboxes_and_kills),
		cmocka_unit_test(test_a_patch_holds_until_the_end),
		cmocka_unit_test(test_the_nth_allocation_fails),
		cmocka_unit_test(test_failures_are_said),
		cmocka_unit_test(test_the_hash_is_the_same_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
