/* SPDX-License-Identifier: MIT
 * test_counter.c - how the author of an actor tests it: actors/counter.c, with nothing but the kit.
 * It compiles where actord is installed, too (tests/e2e/test_kit.py does that):
 *
 *   cc test_counter.c counter.c $(pkg-config --cflags --libs actord-kit) && ./a.out
 *
 * Who tests asks as another actor does; here it is one that notes the answers. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "kit.h"

extern const struct actor_type counter;

/* --- one that asks ------------------------------------------------------------------------ */

static int64_t total, errors;

static int ask(actor *self, const msg *m)
{
	int64_t n = actor_ask(self, actor_find("counter"), "hit", "answered", 100, msg_int(m, 0));

	errors += n < 0;
	return 0;
}

static int answered(actor *self, const msg *m)
{
	(void)self;
	if (msg_error(m))
		errors++;
	else
		total = msg_int(m, 0);
	return 0;
}

static const struct actor_type asker = {
	.name = "asker", .on = ON({ "ask", "by:int", ask, 0 }, { "answered", "...", answered, 0 }),
};

static void begin(uint64_t seed)
{
	total = errors = 0;
	kit_begin(seed);
	kit_spawn(&asker, "asker");
	kit_spawn(&counter, "counter");
	kit_run();
}

/* --- what is expected --------------------------------------------------------------------- */

static void it_adds_up(void)
{
	begin(1);
	kit_forbid(NULL, NULL);                 /* nothing but this: */
	kit_allow("asker", NULL);
	kit_expect("counter", "hit", 3);
	kit_send("asker", "ask", 1);
	kit_send("counter", "hit", 40);
	kit_send("asker", "ask", 1);
	kit_run();
	assert(total == 42 && errors == 0);
	kit_end();
}

/* Killed between a question and the next: who waits is told, and the next one counts anew. */
static void it_ends_and_comes_again(void)
{
	begin(1);
	kit_send("asker", "ask", 5);
	kit_pass("asker");                      /* it has asked; counter has not had its turn */
	kit_kill("counter");
	kit_run();
	assert(errors == 1);
	kit_spawn(&counter, "counter");
	kit_send("asker", "ask", 7);
	kit_run();
	assert(total == 7);
	kit_end();
}

/* A patch between two messages: what was asked before it may meet the new handler. */
static int hit_double(actor *self, const msg *m)
{
	int64_t *hits = actor_state(self);

	return msg_reply(m, *hits += 2 * msg_int(m, 0));
}

static void it_is_patched(void)
{
	static const struct actor_handler fix[] = { { "hit", "by:int", hit_double, ON_CLIENT },
		                                    { 0, 0, 0, 0 } };

	begin(1);
	kit_send("asker", "ask", 1);
	kit_run();
	kit_patch(&counter, fix);
	kit_send("asker", "ask", 1);
	kit_run();
	assert(total == 3);
	kit_end();
}

/* A full mailbox refuses, and no memory for a birth is said; afterwards all goes on. */
static void the_world_is_full(void)
{
	begin(1);
	while (kit_send("counter", "hit", 1) == 0)
		;
	assert(kit_send("counter", "hit", 1) == ACTOR_EFULL);
	kit_send("asker", "ask", 1);
	kit_pass("asker");
	assert(errors == 1);
	kit_run();
	kit_fail_alloc(1);
	assert(kit_spawn(&counter, "another") == 0);
	assert(kit_spawn(&counter, "another") != 0);
	kit_send("asker", "ask", 0);
	kit_run();
	assert(total == 1024);
	kit_end();
}

/* Whatever the order, the sum is the same. A failure says which seed, and how to see it again. */
static uint64_t any_order(uint64_t seed)
{
	int64_t sum = 0;

	begin(seed);
	for (int i = 0; i < 50; i++) {
		int by = (int)kit_random(100);

		sum += by;
		if (kit_random(2))
			kit_send("asker", "ask", by);
		else
			kit_send("counter", "hit", by);
		kit_step();
	}
	kit_run_for(200);
	kit_send("asker", "ask", 0);
	kit_run();
	if (total != sum)
		kit_failed("%lld hits, the counter says %lld", (long long)sum, (long long)total);
	return kit_end();
}

int main(void)
{
	it_adds_up();
	it_ends_and_comes_again();
	it_is_patched();
	the_world_is_full();
	printf("%u seeds\n", kit_seeds(200, any_order));
	return 0;
}
