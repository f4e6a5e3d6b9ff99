/* SPDX-License-Identifier: MIT
 * test_seeds.c - a system that does all that is hard at once, from ten thousand seeds: clients
 * flood sinks of every kind of mailbox and ask a desk that answers now, later, not at all or
 * through another; timers are set and cancelled; actors are killed and come again; handlers are
 * patched; memory fails.
 *
 * What must hold: what one sender sends to one name is handled in that order and at most once;
 * where mailboxes refuse or hold and nobody died, all that was accepted is handled; an ask is
 * answered exactly once; a cancelled timer does not come; sent = handled + dead letters (the
 * kit's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kit.h"

#if defined(__SANITIZE_THREAD__)
enum { SEEDS = 100 };           /* they have one thread */
#elif defined(__SANITIZE_ADDRESS__)
enum { SEEDS = 500 };
#else
enum { SEEDS = 10000 };
#endif
enum { BEAT_MS = 7, CLIENTS = 3, SINKS = 6, DESKS = 2, BORN = 64, PENDING = 64, ACTS = 50,
      QUIET_MS = 10000 };

static const char *const client_name[CLIENTS] = { "ann", "ben", "eve" };
static const char *const sink_name[SINKS] = { "refuser", "holder", "pipe", "drain", "oldest",
	"newest" };
static const char *const desk_name[DESKS] = { "desk", "branch" };

/* One sender to one name. */
struct lane { int64_t tried, accepted, handled, last; bool died; };

static struct {
	struct lane lane[BORN][SINKS];          /* by a client's number of birth; 0: from outside */
	int born, sink_born[SINKS];             /* how often */
	bool quiet;
	unsigned handled, asked, answered, patched;
} world;

struct client {
	int64_t me;
	int64_t pending[PENDING];
	unsigned n;
	int64_t beat, beats, since;
	int64_t decoy, serial;          /* a timer to be cancelled; 0: none is set */
};

/* --- sinks ------------------------------------------------------------------------------- */

static int sink_index(actor *self)
{
	int i = 0;

	while (strcmp(sink_name[i], actor_name(self)))
		i++;
	return i;
}

static void took(actor *self, const msg *m)
{
	struct lane *l = &world.lane[msg_int(m, 0)][sink_index(self)];

	if (msg_int(m, 2) != world.sink_born[sink_index(self)])
		kit_failed("%s has a message that was sent before its birth", actor_name(self));
	if (msg_int(m, 1) <= l->last)
		kit_failed("%s has %lld of sender %lld after %lld", actor_name(self),
		           (long long)msg_int(m, 1), (long long)msg_int(m, 0), (long long)l->last);
	l->last = msg_int(m, 1);
	l->handled++;
	world.handled++;
}

static int take(actor *self, const msg *m)
{
	took(self, m);
	return kit_random(32) ? 0 : msg_fail(m, "not this one");
}

static int take_new(actor *self, const msg *m)
{
	world.patched++;
	return take(self, m);
}

/* Numbered, so that the receiver can tell. */
static int deliver(actor *self, int64_t me, int to, bool large)
{
	static char text[5000];
	struct lane *l = &world.lane[me][to];
	int born = world.sink_born[to], rc;

	memset(text, 'x', sizeof text - 1);
	l->tried++;
	rc = large ? actor_send(self, actor_find(sink_name[to]), "take", me, l->tried, born, text)
	           : actor_send(self, actor_find(sink_name[to]), "take", me, l->tried, born);
	l->accepted += rc == 0;
	return rc;
}

/* A pipe of three that hold each other: the last closes the circle. Numbered as clients are. */
static int pass_on(actor *self, const msg *m)
{
	int i = sink_index(self), to = i == 3 ? 1 : i + 1;

	took(self, m);
	for (unsigned n = kit_random(3); n-- && msg_int(m, 0) >= 0; )
		deliver(self, BORN - 1 - i, to, !kit_random(32));
	return 0;
}

static void no_promise(const char *name)
{
	for (int k = 0; k < SINKS; k++)
		for (int i = 0; i < BORN && !strcmp(sink_name[k], name); i++)
			world.lane[i][k].died = true;
}

static int sink_start(actor *self)
{
	if (kit_random(40))
		return 0;
	no_promise(actor_name(self));
	return ACTOR_EFAIL;
}

#define SINK(kind, fn, limit, when_full) static const struct actor_type kind = { \
	.name = #kind, .state = 8, .start = sink_start, \
	.on = ON({ "take", "from:int n:int born:int what:str?", fn, 0 }), \
	.mailbox = { .messages = limit, .full = when_full } }
SINK(refuser, take, 3, FULL_REFUSE);
SINK(holder, pass_on, 2, FULL_HOLD);
SINK(pipe_, pass_on, 1, FULL_HOLD);
SINK(drain, pass_on, 4, FULL_HOLD);
SINK(oldest, take, 3, FULL_DROP_OLDEST);
SINK(newest, take, 3, FULL_DROP_NEWEST);
static const struct actor_type *const sink_type[SINKS] = { &refuser, &holder, &pipe_, &drain,
	&oldest, &newest };

/* --- desks ------------------------------------------------------------------------------- */

static int question(actor *self, const msg *m)
{
	msg_caller who;

	switch (msg_int(m, 0) % 5) {
	case 0:
		return msg_reply(m, msg_int(m, 0));
	case 1:
		who = msg_defer(m);
		return (int)actor_after(self, (int)kit_random(40), "later", (int64_t)who,
		                        msg_int(m, 0)) < 0 ? ACTOR_EFAIL : 0;
	case 2:
		return msg_fail(m, "the desk is closed");
	case 3:
		msg_defer(m);
		return 0;
	default:
		return msg_forward(m, actor_find("branch"), "question");
	}
}

static int branch_question(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_int(m, 0));
}

static int later(actor *self, const msg *m)
{
	return actor_answer(self, (msg_caller)msg_int(m, 0), msg_int(m, 1));
}

static const struct actor_type desk = {
	.name = "desk", .state = 200,
	.on = ON({ "question", "n:int", question, 0 }, { "later", "who:int n:int", later, 0 }),
	.mailbox = { .messages = 4 },
};
static const struct actor_type branch = {
	.name = "branch", .on = ON({ "question", "n:int", branch_question, 0 }),
	.mailbox = { .messages = 2, .full = FULL_DROP_NEWEST },
};
static const struct actor_type *const desk_type[DESKS] = { &desk, &branch };

/* --- clients ----------------------------------------------------------------------------- */

static void ask_desk(actor *self, struct client *c)
{
	const char *to = desk_name[kit_random(DESKS)];
	int64_t n = kit_random(1000);

	n = c->n == PENDING ? -1 : actor_ask(self, actor_find(to), "question", "got", 100, n);
	if (n <= 0)
		return;
	c->pending[c->n++] = n;
	world.asked++;
}

static int got(actor *self, const msg *m)
{
	struct client *c = actor_state(self);

	for (unsigned i = 0; i < c->n; i++)
		if (c->pending[i] == msg_ask(m)) {
			c->pending[i] = c->pending[--c->n];
			world.answered++;
			return 0;
		}
	kit_failed("%s has an answer to %lld, which it does not wait for", actor_name(self),
	           (long long)msg_ask(m));
}

static int never(actor *self, const msg *m)
{
	struct client *c = actor_state(self);

	if (!c->decoy || msg_int(m, 0) != c->serial)
		kit_failed("%s: a cancelled timer has come", actor_name(self));
	c->decoy = 0;
	return 0;
}

static void set_decoy(actor *self, struct client *c)
{
	if (!c->decoy)
		c->decoy = actor_after(self, (int)kit_random(20), "never", ++c->serial);
	else if (actor_cancel(self, c->decoy) < 0)
		kit_failed("%s: a timer that has not come cannot be cancelled", actor_name(self));
	else
		c->decoy = 0;
}

static int tick(actor *self, const msg *m)
{
	struct client *c = actor_state(self);

	(void)m;
	if (world.quiet)
		return 0;
	for (unsigned n = kit_random(8); n--; )
		for (unsigned to = kit_random(SINKS), k = kit_random(6); k--; )
			deliver(self, c->me, (int)to, !kit_random(16));
	for (unsigned n = kit_random(4); n--; )
		ask_desk(self, c);
	set_decoy(self, c);
	return (int)actor_after(self, (int)kit_random(10), "tick") < 0 ? ACTOR_EFAIL : 0;
}

/* Times that were missed come once, so there are never more than there were times. */
static int beat(actor *self, const msg *m)
{
	struct client *c = actor_state(self);

	(void)m;
	if (++c->beats > (kit_now() - c->since) / BEAT_MS)
		kit_failed("%s: %lld beats of %d ms in %lld ms", actor_name(self),
		           (long long)c->beats,
		           BEAT_MS, (long long)(kit_now() - c->since));
	return world.quiet ? actor_cancel(self, c->beat) : 0;
}

/* Whether anything is still owed to it: asked when all is quiet. */
static int account(actor *self, const msg *m)
{
	struct client *c = actor_state(self);

	(void)m;
	if (c->n)
		kit_failed("%s waits for %u answers that never came", actor_name(self), c->n);
	return 0;
}

static int client_start(actor *self)
{
	struct client *c = actor_state(self);

	c->me = ++world.born;
	c->since = kit_now();
	c->beat = actor_every(self, BEAT_MS, "beat");
	return actor_after(self, 1, "tick") < 0 ? ACTOR_EFAIL : 0;
}

static const struct actor_type client = {
	.name = "client", .state = sizeof(struct client), .start = client_start,
	.on = ON({ "tick", "", tick, 0 }, { "got", "n:int", got, 0 },
	         { "never", "n:int", never, 0 }, { "account", "", account, 0 },
	         { "beat", "", beat, 0 }),
};

/* --- the run ----------------------------------------------------------------------------- */

static const char *anybody(void)
{
	unsigned i = kit_random(CLIENTS + SINKS + DESKS);

	return i < CLIENTS ? client_name[i] : i < CLIENTS + SINKS ? sink_name[i - CLIENTS]
	                   : desk_name[i - CLIENTS - SINKS];
}

/* Who has ended comes again. */
static void people(void)
{
	for (int i = 0; i < SINKS; i++)
		if (!actor_alive(actor_find(sink_name[i])) && kit_spawn(sink_type[i], sink_name[i]))
			world.sink_born[i]++;
	for (int i = 0; i < DESKS; i++)
		if (!actor_alive(actor_find(desk_name[i])))
			kit_spawn(desk_type[i], desk_name[i]);
	for (int i = 0; i < CLIENTS; i++)
		if (!actor_alive(actor_find(client_name[i])) && world.born < BORN - 8)
			kit_spawn(&client, client_name[i]);
}

static void kill_one(const char *name)
{
	no_promise(name);
	kit_kill(name);
}

static void act(void)
{
	static const struct actor_handler fresh[] = {
		{ "take", "from:int n:int born:int what:str?", take_new, 0 }, { 0, 0, 0, 0 },
	};

	switch (kit_random(12)) {
	case 0: kill_one(anybody()); break;
	case 1: kit_patch(sink_type[kit_random(2) * 4], fresh); break;
	case 2: kit_fail_alloc(1 + kit_random(4)); break;
	case 3: kit_pass(anybody()); break;
	case 4: for (int n = 0; n < 6; n++) deliver(NULL, 0, (int)kit_random(SINKS), false); break;
	case 5: case 6: kit_run_for((int)kit_random(30)); break;
	default: for (unsigned n = kit_random(30); n--; ) kit_step(); break;
	}
	if (!kit_random(3))
		people();
}

static void check_lanes(void)
{
	for (int i = 0; i < BORN; i++)
		for (int k = 0; k < 4; k++) {   /* those that refuse or hold */
			struct lane *l = &world.lane[i][k];

			if (!l->died && l->handled != l->accepted)
				kit_failed("%s: %lld messages of sender %d accepted, %lld handled",
				           sink_name[k], (long long)l->accepted, i,
				           (long long)l->handled);
		}
}

static unsigned long sums[4];
static uint64_t hashes;

static uint64_t run(uint64_t seed)
{
	uint64_t hash;

	memset(&world, 0, sizeof world);
	kit_begin(seed);
	kit_one_by_one(seed % 4 == 0);
	people();
	for (int i = 0; i < ACTS; i++)
		act();
	world.quiet = true;
	kit_fail_alloc(0);
	kit_run_for(QUIET_MS);
	for (int i = 0; i < CLIENTS; i++)
		kit_send(client_name[i], "account");
	kit_run();
	check_lanes();
	sums[0] += world.handled;
	sums[1] += world.asked;
	sums[2] += world.answered;
	sums[3] += world.patched;
	hash = kit_end();
	hashes ^= hash;
	return hash;
}

static void test_seeds(void **state)
{
	unsigned n = kit_seeds(SEEDS, run);

	(void)state;
	printf("%u seeds: %lu messages in sinks, %lu by patched handlers, %lu asks, %lu answers; "
	       "%016llx\n", n, sums[0], sums[3], sums[1], sums[2], (unsigned long long)hashes);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
