/* SPDX-License-Identifier: MIT
 * test_flood.c - ten times as many messages as there are turns for them, from seeds, in four kinds
 * of mailbox: what stress/test_overload.c measures, counted here.
 *
 * What must hold: a turn handles as much as it does when just enough is sent; no mailbox is over
 * its limits, in messages or in bytes (one that drops its oldest has twice that, until its owner
 * looks); sent = handled + dead letters (the kit's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core.h"
#include "kit.h"

/* One thread: nothing for a sanitizer to see in more of them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 20 };
#else
enum { SEEDS = 200 };
#endif
enum { KINDS = 4, TURNS = 5, TIMES = 10, ROUNDS = 50, MESSAGES = 16, BYTES = 16384,
       TEXT = 3000 };

static const char *const kind_name[KINDS] = { "refuse", "oldest", "newest", "hold" };
static char text[TEXT + 1];
static unsigned handled, seeds_of_over;

static int take(actor *self, const msg *m)
{
	(void)self, (void)m;
	handled++;
	return 0;
}

static int pour(actor *self, const msg *m)
{
	for (int64_t n = msg_int(m, 0); n--; )
		actor_send(self, actor_find("hold"), "take", text + TEXT - kit_random(TEXT));
	return 0;
}

#define TAKER(kind, what) { .name = kind, .on = ON({ "take", "text:str", take, 0 }), \
	.mailbox = { .messages = MESSAGES, .bytes = BYTES, .full = what } }
static const struct actor_type taker[KINDS] = {
	TAKER("refuse", FULL_REFUSE), TAKER("oldest", FULL_DROP_OLDEST),
	TAKER("newest", FULL_DROP_NEWEST), TAKER("hold", FULL_HOLD),
};
static const struct actor_type source = {
	.name = "source", .on = ON({ "pour", "n:int", pour, 0 }),
};

static void check(const char *name, unsigned times)
{
	struct actor_info a;

	if (core_inspect(actor_find(name), &a) < 0)
		kit_failed("%s is gone", name);
	if (a.depth > times * MESSAGES || (a.depth > 1 && a.bytes > times * BYTES))
		kit_failed("%s: %u messages, %u bytes", name, a.depth, a.bytes);
}

/* n to each, while each has its turns. */
static void one_round(int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < KINDS - 1; k++)
			kit_send(kind_name[k], "take", text + TEXT - kit_random(TEXT));
	kit_send("source", "pour", n);
	kit_pass("source");
	for (int k = 0; k < KINDS; k++)
		check(kind_name[k], k == 1 ? 2 : 1);
	for (int i = 0; i < TURNS; i++)
		for (int k = 0; k < KINDS; k++)
			kit_pass(kind_name[k]);
}

static unsigned handled_at(int times)
{
	handled = 0;
	for (int i = 0; i < ROUNDS; i++)
		one_round(TURNS * times);
	return handled;
}

static uint64_t run(uint64_t seed)
{
	unsigned peak, over;

	memset(text, 'x', TEXT);
	kit_begin(seed);
	for (int k = 0; k < KINDS; k++)
		kit_spawn(&taker[k], kind_name[k]);
	kit_spawn(&source, "source");
	kit_run();
	kit_one_by_one(true);
	peak = handled_at(1);
	over = handled_at(TIMES);
	if (over < peak * 95 / 100)
		kit_failed("%u handled at the peak, %u of %d times as many", peak, over, TIMES);
	seeds_of_over++;
	return kit_end();
}

static void test_flood(void **state)
{
	(void)state;
	kit_seeds(SEEDS, run);
	assert_true(seeds_of_over > 1);
}

/* --- the word that counts -------------------------------------------------------------- */

/* A mailbox's messages and bytes are bits of one word; what the limits do not hold back must not
 * overflow them. */
enum { MOST = 32767, LARGE = (16 << 20) - 64 };

static unsigned got_answers;

static int ask(actor *self, const msg *m)
{
	for (int64_t n = msg_int(m, 0); n--; )
		if (actor_ask(self, actor_find("server"), "serve", "got", 1000, msg_int(m, 1)) < 0)
			kit_failed("no ask: %s", actor_why(self));
	return 0;
}

static int got(actor *self, const msg *m)
{
	(void)self;
	got_answers += !msg_error(m);
	return 0;
}

static int serve(actor *self, const msg *m)
{
	msg_out *o = msg_values(self);

	memset(out_room(o, (size_t)msg_int(m, 0)), 'x', (size_t)msg_int(m, 0));
	return msg_reply_out(m, o);
}

static unsigned given;

static int give(actor *self, const msg *m)
{
	for (int64_t n = msg_int(m, 0); n--; )
		given += !actor_send(self, actor_find("hold"), "take", "x");
	return 0;
}

static int part(actor *self, const msg *m)
{
	give(self, m);
	return actor_stop(self, actor_self(self));
}

#define ASKER(kind, ...) { .name = kind, .mailbox = { __VA_ARGS__ }, \
	.on = ON({ "take", "text:str", take, 0 }, { "ask", "n:int bytes:int", ask, 0 }, \
		 { "got", "text:str", got, 0 }) }
static const struct actor_type modest = ASKER("modest"), server = {
	.name = "server", .on = ON({ "serve", "bytes:int", serve, 0 }) };
static const struct actor_type droppy = ASKER("droppy", .messages = MOST, .bytes = 32 << 20,
					      .full = FULL_DROP_OLDEST);
static const struct actor_type hold_most = {
	.name = "hold_most", .on = ON({ "take", "text:str", take, 0 }),
	.mailbox = { .messages = MOST, .bytes = 32 << 20, .full = FULL_HOLD } };
static const struct actor_type giver = {
	.name = "giver", .on = ON({ "give", "n:int", give, 0 }, { "part", "n:int", part, 0 }) };

/* As many messages as it takes, and a few answers on top. */
static void test_answers_on_top_of_all(void **state)
{
	(void)state;
	kit_begin(1);
	kit_spawn(&droppy, "droppy");
	kit_spawn(&server, "server");
	got_answers = handled = 0;
	kit_send("droppy", "ask", 3, 1);
	kit_pass("droppy");
	for (int i = 0; i < 2 * (MOST + 1); i++)
		assert_int_equal(kit_send("droppy", "take", "x"), 0);
	kit_pass("server");
	kit_run();
	assert_int_equal(got_answers, 3);
	assert_true(handled > 0);
	kit_end();              /* sent = handled + dead letters */
}

/* Answers that come to more bytes than the word can tell: limits hold all the same. */
static void test_answers_of_many_bytes(void **state)
{
	struct actor_info a;

	(void)state;
	kit_begin(1);
	kit_spawn(&modest, "modest");
	kit_spawn(&server, "server");
	got_answers = 0;
	kit_send("modest", "ask", 4, LARGE);
	kit_pass("modest");
	while (kit_pass("server"))
		;
	assert_int_equal(core_inspect(actor_find("modest"), &a), 0);
	assert_true(a.bytes >= LARGE);
	assert_int_equal(kit_send("modest", "take", "x"), ACTOR_EFULL);
	kit_run();
	assert_int_equal(got_answers, 4);
	assert_int_equal(kit_send("modest", "take", "x"), 0);
	kit_end();
}

/* Those who wait for room at a full mailbox end, all at once. */
static void test_who_waited_ends(void **state)
{
	static const char *const names[] = { "giver1", "giver2", "giver3" };

	(void)state;
	kit_begin(1);
	kit_spawn(&hold_most, "hold");
	for (int i = 0; i < 3; i++) {
		kit_spawn(&giver, names[i]);
		kit_send(names[i], "give", 2 * MOST);
		kit_pass(names[i]);
	}
	for (int i = 0; i < 3; i++) {
		kit_kill(names[i]);
		kit_pass(names[i]);
		assert_false(core_alive(actor_find(names[i])));
		assert_int_equal(kit_send("hold", "take", "x"), ACTOR_EFULL);
	}
	kit_end();
}

/* Those who end by themselves wait for room before, so that nothing they sent is lost. */
static void test_who_parts_waits(void **state)
{
	static const char *const names[] = { "giver1", "giver2", "giver3" };

	(void)state;
	kit_begin(1);
	kit_spawn(&hold_most, "hold");
	handled = given = 0;
	for (int i = 0; i < 3; i++) {
		kit_spawn(&giver, names[i]);
		kit_send(names[i], "part", MOST);
		kit_pass(names[i]);
		kit_pass(names[i]);
	}
	kit_run();
	assert_true(given > MOST);
	assert_int_equal(handled, given);
	for (int i = 0; i < 3; i++)
		assert_false(core_alive(actor_find(names[i])));
	kit_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_answers_on_top_of_all),
		cmocka_unit_test(test_answers_of_many_bytes),
		cmocka_unit_test(test_who_waited_ends),
		cmocka_unit_test(test_who_parts_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
