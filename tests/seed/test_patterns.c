/* SPDX-License-Identifier: MIT
 * test_patterns.c - from seeds: doors that shut (become) and keep what comes (stash) and pass it on
 * when they open, into sinks that hold them; a club (a group) whose members come, go, hear and are
 * picked; beats by period and by crontab; one that watches the doors, and keeps what it hears.
 *
 * What must hold: what one caller says to a door comes to its sink in that order, at most once,
 * and all of it where nobody failed, whatever was kept meanwhile; a question is answered once; an
 * end is heard of once, kept or not; who is published to was a member; who is picked is one, and
 * by key the same as long as nobody comes or goes; a crontab's beat comes in its minute, and once
 * in it; sent = handled + dead letters (the kit's). */
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
enum { DOORS = 2, CALLERS = 3, MEMBERS = 5, ACTS = 60, PENDING = 32, WATCHED = 16, LIVES = 200,
       MINUTE = 60000, QUIET_MS = 3 * MINUTE };

static const char *const door_name[DOORS] = { "front", "back" };
static const char *const sink_name[DOORS] = { "hall", "yard" };
static const char *const caller_name[CALLERS] = { "ann", "ben", "eve" };
static const char *const member_name[MEMBERS] = { "m0", "m1", "m2", "m3", "m4" };

/* What one caller said to one door. */
struct lane { int64_t said, accepted, came, last; };

static struct {
	struct lane lane[CALLERS][DOORS];
	bool failed[DOORS];             /* a door or its sink: no promise that all comes */
	bool quiet;
	bool member[MEMBERS];           /* has joined, and lives since */
	int64_t beat[LIVES];            /* the minute of a member's last, by its life */
	int lives;
	unsigned kept, came, asked, answered, told, told_later, heard, picked, beats;
} world;

static unsigned index_of(const char *const *names, const char *name)
{
	unsigned i = 0;

	while (strcmp(names[i], name))
		i++;
	return i;
}

/* --- doors, and what is behind them ------------------------------------------------------- */

static int pass(actor *self, const msg *m)
{
	unsigned to = index_of(door_name, actor_name(self));

	if (actor_send(self, actor_find(sink_name[to]), "take", msg_int(m, 0), msg_int(m, 1)) < 0)
		world.failed[to] = true;
	return msg_reply(m, msg_int(m, 1));
}

static int keep(actor *self, const msg *m)
{
	if (actor_stash(self, m) == 0) {
		world.kept++;
		return 0;
	}
	world.failed[index_of(door_name, actor_name(self))] = true;
	return msg_fail(m, "there is no room before the door");
}

static int shut(actor *self, const msg *m)
{
	(void)m;
	return actor_become(self, "shut");
}

static int open_(actor *self, const msg *m)
{
	(void)m;
	actor_become(self, NULL);
	actor_unstash(self);
	return 0;
}

static int trip(actor *self, const msg *m)
{
	(void)m;
	world.failed[index_of(door_name, actor_name(self))] = true;
	return ACTOR_EFAIL;
}

static const struct actor_type door = {
	.name = "door", .restart = RESTART_PERMANENT,
	.on = ON({ "pass", "who:int n:int", pass, 0 }, { "shut.pass", "who:int n:int", keep, 0 },
	         { "shut", "", shut, 0 }, { "open", "", open_, 0 }, { "trip", "", trip, 0 }),
	.mailbox = { .messages = 12, .full = FULL_REFUSE },
};

static int take(actor *self, const msg *m)
{
	struct lane *l = &world.lane[msg_int(m, 0)][index_of(sink_name, actor_name(self))];

	if (msg_int(m, 1) <= l->last)
		kit_failed("%s has %lld of caller %lld after %lld", actor_name(self),
		           (long long)msg_int(m, 1), (long long)msg_int(m, 0), (long long)l->last);
	l->last = msg_int(m, 1);
	l->came++;
	world.came++;
	return 0;
}

static const struct actor_type sink = {
	.name = "sink", .on = ON({ "take", "who:int n:int", take, 0 }),
	.mailbox = { .messages = 2, .full = FULL_HOLD },
};

/* --- callers ------------------------------------------------------------------------------ */

struct caller { int64_t pending[PENDING]; unsigned n; };

static int say(actor *self, const msg *m)
{
	struct caller *c = actor_state(self);
	unsigned me = index_of(caller_name, actor_name(self)), to = (unsigned)msg_int(m, 0);
	struct lane *l = &world.lane[me][to];
	actor_ref ref = actor_find(door_name[to]);
	int64_t n;

	if (kit_random(3) || c->n == PENDING) {
		l->accepted += actor_send(self, ref, "pass", me, ++l->said) == 0;
		return 0;
	}
	n = actor_ask(self, ref, "pass", "got", MINUTE, me, ++l->said);
	if (n > 0) {
		c->pending[c->n++] = n;
		l->accepted++;
		world.asked++;
	}
	return 0;
}

static int got(actor *self, const msg *m)
{
	struct caller *c = actor_state(self);

	if (msg_error(m) == ACTOR_ETIME)        /* given up: it may not be passed on any more */
		memset(world.failed, true, sizeof world.failed);
	for (unsigned i = 0; i < c->n; i++)
		if (c->pending[i] == msg_ask(m)) {
			c->pending[i] = c->pending[--c->n];
			world.answered++;
			return 0;
		}
	kit_failed("%s has an answer that it does not wait for", actor_name(self));
}

static int account(actor *self, const msg *m)
{
	struct caller *c = actor_state(self);

	(void)m;
	if (c->n)
		kit_failed("%s waits for %u answers that never came", actor_name(self), c->n);
	return 0;
}

static const struct actor_type caller = {
	.name = "caller", .state = sizeof(struct caller),
	.on = ON({ "say", "to:int", say, 0 }, { "got", "...", got, 0 },
	         { "account", "", account, 0 }),
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

static int down_later(actor *self, const msg *m)
{
	world.told_later++;
	return actor_stash(self, m);
}

static int told_all(actor *self, const msg *m)
{
	struct watcher *w = actor_state(self);

	(void)m;
	if (w->n)
		kit_failed("the watcher has not heard of %u ends", w->n);
	return 0;
}

static const struct actor_type watcher = {
	.name = "watcher", .state = sizeof(struct watcher),
	.on = ON({ "watch", "who:str", watch, 0 }, { "shut", "", shut, 0 },
	         { "open", "", open_, 0 },
	         { "down", "number:int name:str reason:str", down, 0 },
	         { "shut.down", "number:int name:str reason:str", down_later, 0 },
	         { "told_all", "", told_all, 0 }),
	.mailbox = { .messages = 64 },
};

/* --- the club ----------------------------------------------------------------------------- */

struct member { int64_t life, tick, ticks, since; };

static int enter(actor *self, const msg *m)
{
	(void)m;
	if (actor_join(self, "club", "hear") < 0)
		return ACTOR_EFAIL;
	world.member[index_of(member_name, actor_name(self))] = true;
	return 0;
}

static int leave(actor *self, const msg *m)
{
	bool *is = &world.member[index_of(member_name, actor_name(self))];

	(void)m;
	if ((actor_leave(self, "club") == 0) != *is)
		kit_failed("%s: the club has it otherwise", actor_name(self));
	*is = false;
	return 0;
}

static int hear(actor *self, const msg *m)
{
	(void)self, (void)m;
	world.heard++;
	return 0;
}

static int tick(actor *self, const msg *m)
{
	struct member *x = actor_state(self);

	(void)m;
	if (++x->ticks > (kit_now() - x->since) / 700)
		kit_failed("%s: %lld ticks in %lld ms", actor_name(self), (long long)x->ticks,
		           (long long)(kit_now() - x->since));
	return 0;
}

/* Each second minute, once. It may come a little late, but in its minute: nothing here takes
 * longer. */
static int beat(actor *self, const msg *m)
{
	struct member *x = actor_state(self);
	int64_t minute = kit_now() / MINUTE;

	(void)m;
	if (minute % 2 || minute == world.beat[x->life])
		kit_failed("%s: a beat of */2 at %lld ms", actor_name(self), (long long)kit_now());
	world.beat[x->life] = minute;
	world.beats++;
	return 0;
}

static int talk(actor *self, const msg *m)
{
	unsigned here = 0;
	int rc;

	(void)m;
	for (unsigned i = 0; i < MEMBERS; i++)
		here += world.member[i];
	rc = actor_publish(self, "club", 5);
	if (rc < 0 || rc > (int)here)
		kit_failed("%d of %u members were sent to", rc, here);
	return 0;
}

static int member_start(actor *self)
{
	struct member *x = actor_state(self);

	x->life = ++world.lives % LIVES;
	world.beat[x->life] = -1;
	x->since = kit_now();
	x->tick = actor_every(self, 700, "tick");
	return actor_cron(self, "*/2 * * * *", "beat") < 0 ? ACTOR_EFAIL : 0;
}

static void member_stop(actor *self)
{
	world.member[index_of(member_name, actor_name(self))] = false;
}

static const struct actor_type member = {
	.name = "member", .state = sizeof(struct member), .start = member_start,
	.stop = member_stop, .mailbox = { .messages = 8 },
	.on = ON({ "enter", "", enter, 0 }, { "leave", "", leave, 0 }, { "hear", "n:int", hear, 0 },
	         { "tick", "", tick, 0 }, { "beat", "", beat, 0 }, { "talk", "", talk, 0 }),
};

static void pick_one(void)
{
	enum actor_choice by = kit_random(3);
	actor_ref ref = actor_pick("club", by, "a key"), again = actor_pick("club", by, "a key");
	unsigned here = 0;

	for (unsigned i = 0; i < MEMBERS; i++)
		here += world.member[i];
	if (!ref != !here || (ref && !actor_alive(ref)))
		kit_failed("picked %s of %u members", ref ? "one" : "none", here);
	if (by == PICK_KEY && ref != again)
		kit_failed("the same key, another member");
	if (ref)
		actor_send(NULL, ref, "hear", 1);
	world.picked += ref != 0;
}

/* --- the run ------------------------------------------------------------------------------ */

static void people(void)
{
	for (int i = 0; i < MEMBERS; i++)
		if (!actor_alive(actor_find(member_name[i])))
			kit_spawn(&member, member_name[i]);
	for (int i = 0; i < DOORS; i++) {
		if (!actor_alive(actor_find(sink_name[i])))
			kit_spawn(&sink, sink_name[i]);
		if (!actor_alive(actor_find(door_name[i])))
			kit_spawn(&door, door_name[i]);
	}
}

static void kill_one(void)
{
	unsigned i = kit_random(DOORS), what = kit_random(3);

	if (what < 2)
		world.failed[i] = true;
	kit_kill(what == 0 ? door_name[i] : what == 1 ? sink_name[i]
	                                              : member_name[kit_random(MEMBERS)]);
}

static const char *anybody(void)
{
	return member_name[kit_random(MEMBERS)];
}

static void act(void)
{
	unsigned i = kit_random(DOORS);

	switch (kit_random(14)) {
	case 0: kit_send(door_name[i], "shut"); break;
	case 1: case 2: kit_send(door_name[i], "open"); break;
	case 3: kit_send(door_name[i], kit_random(8) ? "open" : "trip"); break;
	case 4: if (!kit_random(4)) kill_one(); break;
	case 5: kit_send("watcher", "watch", door_name[i]); break;
	case 6: kit_send("watcher", kit_random(2) ? "shut" : "open"); break;
	case 7: kit_send(anybody(), kit_random(3) ? "enter" : "leave"); break;
	case 8: kit_send(anybody(), "talk"); break;
	case 9: pick_one(); break;
	case 10: kit_run_for((int)kit_random(kit_random(8) ? 2000 : 100000)); break;
	case 11: for (unsigned n = kit_random(30); n--; ) kit_step(); break;
	default:
		for (unsigned n = kit_random(10); n--; )
			kit_send(caller_name[kit_random(CALLERS)], "say", kit_random(DOORS));
	}
	if (!kit_random(4))
		people();
}

static void check_lanes(void)
{
	for (int to = 0; to < DOORS; to++)
		for (int i = 0; i < CALLERS && !world.failed[to]; i++) {
			struct lane *l = &world.lane[i][to];

			if (l->came != l->accepted)
				kit_failed("%s took %lld of %s, %lld came to %s", door_name[to],
				           (long long)l->accepted, caller_name[i],
				           (long long)l->came, sink_name[to]);
		}
}

static unsigned long sums[8];

static void add_up(void)
{
	const unsigned of[] = { world.kept, world.came, world.asked, world.told, world.told_later,
		                world.heard, world.picked, world.beats };

	for (unsigned i = 0; i < 8; i++)
		sums[i] += of[i];
}

static uint64_t run(uint64_t seed)
{
	memset(&world, 0, sizeof world);
	kit_begin(seed);
	kit_one_by_one(seed % 4 == 0);
	for (int i = 0; i < CALLERS; i++)
		kit_spawn(&caller, caller_name[i]);
	kit_spawn(&watcher, "watcher");
	people();
	for (int i = 0; i < ACTS; i++)
		act();
	world.quiet = true;
	kit_run_for(1000);
	for (int i = 0; i < DOORS; i++)
		kit_send(door_name[i], "open");
	kit_run_for(QUIET_MS);
	check_lanes();
	for (int i = 0; i < DOORS; i++)
		kit_kill(door_name[i]);
	kit_send("watcher", "open");
	kit_run();
	kit_send("watcher", "told_all");
	for (int i = 0; i < CALLERS; i++)
		kit_send(caller_name[i], "account");
	kit_run();
	add_up();
	return kit_end();
}

static void test_patterns(void **state)
{
	unsigned n = kit_seeds(SEEDS, run);

	(void)state;
	printf("%u seeds: %lu kept, %lu came; %lu asks; %lu ends told, %lu of them later; "
	       "%lu heard, %lu picked, %lu beats\n", n, sums[0], sums[1], sums[2], sums[3],
	       sums[4], sums[5], sums[6], sums[7]);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_patterns) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
