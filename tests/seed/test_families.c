/* SPDX-License-Identifier: MIT
 * test_families.c - supervision from seeds: three bosses, one of each strategy, with three children
 * each, which work, ask each other, fail, stop themselves, are linked, watched and killed.
 *
 * What must hold: nobody handles anything outside of a start and its stop; a boss stops after its
 * children; a monitor tells of one end once; an ask is answered once; after all that everybody who
 * is to live does live; sent = handled + dead letters (the kit's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 300 };
#else
enum { SEEDS = 10000 };
#endif
enum { BOSSES = 3, KIDS = 3, ACTS = 120, WATCHED = 64, PENDING = 32, QUIET_MS = 60000 };

static const char *const boss_name[BOSSES] = { "one", "all", "rest" };
static const char *const kid_name[BOSSES * KIDS] = { "one1", "one2", "one3", "all1", "all2", "all3",
	"rest1", "rest2", "rest3" };

static struct {
	bool lives[BOSSES * KIDS], quiet;
	unsigned starts, fails, ends, told, asked, answered;
} world;

static unsigned kid_index(actor *self)
{
	unsigned i = 0;

	while (strcmp(kid_name[i], actor_name(self)))
		i++;
	return i;
}

static const char *anybody(void)
{
	return kid_name[kit_random(BOSSES * KIDS)];
}

/* --- children -------------------------------------------------------------------------- */

struct kid { int64_t pending[PENDING]; unsigned n; };

static int kid_start(actor *self)
{
	if (world.lives[kid_index(self)])
		kit_failed("%s starts, but has not stopped", actor_name(self));
	world.starts++;
	if (!world.quiet && !kit_random(60))
		return ACTOR_EFAIL;
	world.lives[kid_index(self)] = true;
	return 0;
}

static void kid_stop(actor *self)
{
	if (!world.lives[kid_index(self)])
		kit_failed("%s stops, but has not started", actor_name(self));
	world.lives[kid_index(self)] = false;
	world.ends++;
}

static void ask_somebody(actor *self, struct kid *k)
{
	const char *whom = anybody();
	int64_t n = k->n == PENDING ? 0 : actor_ask(self, actor_find(whom), "work", "got", 50);

	if (n <= 0)
		return;
	k->pending[k->n++] = n;
	world.asked++;
}

static int work(actor *self, const msg *m)
{
	struct kid *k = actor_state(self);
	const char *whom = anybody();

	if (!world.lives[kid_index(self)])
		kit_failed("%s works, but does not live", actor_name(self));
	if (world.quiet)
		return msg_reply(m, 1);
	switch (kit_random(12)) {
	case 0:
		world.fails++;
		return ACTOR_EFAIL;
	case 1: actor_stop(self, actor_self(self)); break;
	case 2: actor_stop(self, actor_find(whom)); break;
	case 3: actor_link(self, actor_find(whom)); break;
	case 4: actor_unlink(self, actor_find(whom)); break;
	case 5: case 6: case 7: ask_somebody(self, k); break;
	case 8: actor_send(self, actor_find(whom), "work"); break;
	default: break;
	}
	return msg_reply(m, 1);
}

static int got(actor *self, const msg *m)
{
	struct kid *k = actor_state(self);

	for (unsigned i = 0; i < k->n; i++)
		if (k->pending[i] == msg_ask(m)) {
			k->pending[i] = k->pending[--k->n];
			world.answered++;
			return 0;
		}
	kit_failed("%s has an answer that it does not wait for", actor_name(self));
}

static int account(actor *self, const msg *m)
{
	struct kid *k = actor_state(self);

	(void)m;
	if (k->n)
		kit_failed("%s waits for %u answers that never came", actor_name(self), k->n);
	return 0;
}

#define KID(kind, when) static const struct actor_type kind = { .name = #kind, \
	.state = sizeof(struct kid), .start = kid_start, .stop = kid_stop, .restart = when, \
	.mailbox = { .messages = 6 }, \
	.on = ON({ "work", "", work, 0 }, { "got", "n:int", got, 0 }, \
	         { "account", "", account, 0 }) }
KID(transient, RESTART_TRANSIENT);
KID(permanent, RESTART_PERMANENT);
KID(temporary, RESTART_TEMPORARY);

/* --- parents ---------------------------------------------------------------------------- */

static unsigned boss_index(actor *self)
{
	unsigned i = 0;

	while (strcmp(boss_name[i], actor_name(self)))
		i++;
	return i;
}

static int boss_start(actor *self)
{
	static const char *const kinds[KIDS] = { "transient", "permanent", "temporary" };

	for (unsigned i = 0; i < KIDS; i++)
		actor_spawn(self, kinds[i], kid_name[boss_index(self) * KIDS + i]);
	return 0;
}

static void boss_stop(actor *self)
{
	for (unsigned i = 0; i < KIDS; i++)
		if (world.lives[boss_index(self) * KIDS + i])
			kit_failed("%s stops before %s", actor_name(self),
			           kid_name[boss_index(self) * KIDS + i]);
}

/* Those that a boss lacks because they stopped themselves, or never come again. */
static int fill_up(actor *self, const msg *m)
{
	(void)m;
	return boss_start(self);
}

#define BOSS(kind, what) static const struct actor_type kind = { .name = #kind, \
	.start = boss_start, .stop = boss_stop, .restart = RESTART_PERMANENT, \
	.children = { .strategy = what, .restarts = 4, .seconds = 1 }, \
	.on = ON({ "fill_up", "", fill_up, 0 }) }
BOSS(boss_one, ONE_FOR_ONE);
BOSS(boss_all, ONE_FOR_ALL);
BOSS(boss_rest, REST_FOR_ONE);

static int root_start(actor *self)
{
	static const char *const kinds[BOSSES] = { "boss_one", "boss_all", "boss_rest" };

	for (unsigned i = 0; i < BOSSES; i++)
		if (!actor_spawn(self, kinds[i], boss_name[i]))
			kit_failed("root: %s", actor_why(self));
	return 0;
}

static const struct actor_type root = {
	.name = "root", .start = root_start, .on = ON({ 0 }),
	.children = { .strategy = ONE_FOR_ONE, .restarts = 10000, .seconds = 1 },
};

/* --- who watches -------------------------------------------------------------------------- */

struct watcher { int64_t number[WATCHED]; unsigned n; };

static int watch(actor *self, const msg *m)
{
	struct watcher *w = actor_state(self);
	int64_t n = w->n == WATCHED ? 0 : actor_monitor(self, actor_find(msg_str(m, 0)), "down");

	if (n > 0)
		w->number[w->n++] = n;
	return 0;
}

static int down(actor *self, const msg *m)
{
	struct watcher *w = actor_state(self);

	for (unsigned i = 0; i < w->n; i++)
		if (w->number[i] == msg_int(m, 0)) {
			w->number[i] = w->number[--w->n];
			world.told++;
			return 0;
		}
	kit_failed("watcher is told of %s, %s: once too often", msg_str(m, 1), msg_str(m, 2));
}

static const struct actor_type watcher = {
	.name = "watcher", .state = sizeof(struct watcher),
	.on = ON({ "watch", "who:str", watch, 0 }, { "down", "number:int name:str reason:str", down,
	                                            0 }),
};

/* --- the run ------------------------------------------------------------------------------ */

static void act(void)
{
	switch (kit_random(10)) {
	case 0: kit_kill(anybody()); break;
	case 1: kit_kill(boss_name[kit_random(BOSSES)]); break;
	case 2: kit_send("watcher", "watch", anybody()); break;
	case 3: kit_send(boss_name[kit_random(BOSSES)], "fill_up"); break;
	case 4: kit_run_for((int)kit_random(400)); break;
	case 5: kit_fail_alloc(1 + kit_random(6)); break;
	case 6: for (unsigned n = kit_random(20); n--; ) kit_step(); break;
	default:
		for (int n = 0; n < 8; n++)
			kit_send(anybody(), "work");
	}
}

/* Bosses that were not killed fill up, and then all of theirs live. */
static void all_live(void)
{
	for (unsigned i = 0; i < BOSSES; i++)
		kit_send(boss_name[i], "fill_up");
	kit_run_for(QUIET_MS);
	for (unsigned i = 0; i < BOSSES * KIDS; i++) {
		if (actor_alive(actor_find(boss_name[i / KIDS])) && !world.lives[i])
			kit_failed("%s does not live", kid_name[i]);
		kit_send(kid_name[i], "account");
	}
	kit_run();
}

static unsigned long sums[6];

static uint64_t run(uint64_t seed)
{
	memset(&world, 0, sizeof world);
	kit_begin(seed);
	kit_type(&transient), kit_type(&permanent), kit_type(&temporary);
	kit_type(&boss_one), kit_type(&boss_all), kit_type(&boss_rest);
	kit_spawn(&watcher, "watcher");
	kit_spawn(&root, "root");
	kit_run();
	for (int i = 0; i < ACTS; i++)
		act();
	world.quiet = true;
	kit_fail_alloc(0);
	kit_run_for(QUIET_MS);
	all_live();
	sums[0] += world.starts, sums[1] += world.fails, sums[2] += world.ends;
	sums[3] += world.told, sums[4] += world.asked, sums[5] += world.answered;
	return kit_end();
}

static void test_families(void **state)
{
	unsigned n = kit_seeds(SEEDS, run);

	(void)state;
	printf("%u seeds: %lu starts, %lu failures, %lu ends, %lu told; %lu asks, %lu answers\n", n,
	       sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_families) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
