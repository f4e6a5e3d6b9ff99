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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
