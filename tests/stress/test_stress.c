/* SPDX-License-Identifier: MIT
 * test_stress.c - everything at once from several threads, for the sanitizers to look at: actors
 * are born, stop and are stopped; they and threads outside flood mailboxes that refuse, hold and
 * drop; asks, timers, cancelled timers; handlers are patched, and their old code is given back;
 * patched code spawns actors of a type of its own, which is patched in turn; they join groups,
 * leave them, and are watched; somebody looks on. ROUNDS lengthens it.
 *
 * What must hold: what one thread sends to one name comes in that order and at most once; code
 * that was given back is not run; each ask is answered once, or its asker ended; each message
 * is handled or a dead letter. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core.h"
#include "log.h"
#include "ports.h"
#include "send.h"

enum { DRIVERS = 2, SERVERS = 6, PEERS = 24, VARIANTS = 8, WORKERS = 3, ROUNDS = 4000, SPIN = 200 };
enum { LIVE = 0x600d, DEAD = 0xdead };

static _Atomic int64_t last[DRIVERS][SERVERS];
static _Atomic uint64_t asked, answered, abandoned, told, heard, patches, given_back;
static _Atomic uint64_t wrong_order, dead_code, twice;
static _Atomic int stopping;

static uint32_t chance(uint32_t below)
{
	return (uint32_t)(random_u64() % below);
}

static const char *server_name(unsigned i)
{
	static const char *const name[SERVERS] = { "hold1", "hold2", "hold3", "refuse", "oldest",
		"newest" };

	return name[i];
}

/* --- code that comes and goes ------------------------------------------------------------ */

/* A patch's code: what its handler reads as long as it runs. */
static struct { _Atomic uint32_t state; } variant[VARIANTS];

static void give_back(void *arg)
{
	_Atomic uint32_t *state = arg;

	*state = DEAD;
	given_back++;
}

static void work(const _Atomic uint32_t *state)
{
	for (uint32_t n = chance(SPIN); n; n--)
		if (LOAD(state) != LIVE)
			dead_code++;
}

/* --- whom that code spawns: a type of its own, which patches bring anew ------------------ */

static int kid_start(actor *self)
{
	actor_join(self, "kids", "hear");
	return actor_after(self, (int)chance(4), "bye") < 0 ? ACTOR_EFAIL : 0;
}

static int kid_hear(actor *self, unsigned v)
{
	work(&variant[v].state);
	heard++;
	return chance(8) ? 0 : actor_leave(self, "kids") + actor_join(self, "kids", "hear");
}

static int kid_bye(actor *self, unsigned v)
{
	work(&variant[v].state);
	if (!chance(4))
		return ACTOR_EFAIL;
	return chance(2) ? actor_stop(self, actor_self(self)) : actor_leave(self, "kids");
}

#define KID(i) \
	static int hear##i(actor *self, const msg *m) { (void)m; return kid_hear(self, i); } \
	static int bye##i(actor *self, const msg *m) { (void)m; return kid_bye(self, i); } \
	static const struct actor_type kid##i = { .name = "kid", .start = kid_start, \
		.on = ON({ "hear", "n:int", hear##i, 0 }, { "bye", "", bye##i, 0 }) };
KID(0) KID(1) KID(2) KID(3) KID(4) KID(5) KID(6) KID(7)
static const struct actor_type *const kids[VARIANTS] = { &kid0, &kid1, &kid2, &kid3, &kid4, &kid5,
	&kid6, &kid7 };

static void bear(actor *self, unsigned v)
{
	actor_ref kid = chance(16) ? 0 : actor_spawn(self, kids[v], NULL);

	if (kid && chance(2))
		actor_monitor(self, kid, "down");
}

/* --- servers ----------------------------------------------------------------------------- */

static int take(actor *self, const msg *m)
{
	int64_t from = msg_int(m, 0), n = msg_int(m, 1);

	for (int i = 0; i < SERVERS && from >= 0; i++)
		if (!strcmp(server_name((unsigned)i), actor_name(self))) {
			if (LOAD(&last[from][i]) >= n)
				wrong_order++;
			STORE(&last[from][i], n);
		}
	if (!strncmp(actor_name(self), "hold", 4) && !chance(4))
		actor_send(self, actor_find(server_name(chance(3))), "take", -1, 0);
	return chance(50) ? msg_reply(m, n) : ACTOR_EFAIL;
}

#define VARIANT(i) static int take##i(actor *self, const msg *m) \
{ \
	int rc; \
	work(&variant[i].state); \
	rc = take(self, m); \
	bear(self, i); \
	work(&variant[i].state); \
	return rc; \
}
VARIANT(0) VARIANT(1) VARIANT(2) VARIANT(3) VARIANT(4) VARIANT(5) VARIANT(6) VARIANT(7)
static handler *const takes[VARIANTS] = { take0, take1, take2, take3, take4, take5, take6, take7 };

static int slow(actor *self, const msg *m)
{
	msg_caller who = msg_defer(m);

	return actor_after(self, (int)chance(4), "later", (int64_t)who) < 0 ? ACTOR_EFAIL : 0;
}

static int later(actor *self, const msg *m)
{
	return actor_answer(self, (msg_caller)msg_int(m, 0), 1);
}

static int down(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	told++;
	return 0;
}

static int leave(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, actor_self(self));
	return 0;
}

#define SERVER(kind, limit, what) static const struct actor_type kind = { \
	.name = #kind, .state = 100, .mailbox = { .messages = limit, .full = what }, \
	.on = ON({ "take", "from:int n:int", take, 0 }, { "slow", "", slow, 0 }, \
	         { "later", "who:int", later, 0 }, { "leave", "", leave, 0 }, \
	         { "down", "number:int name:str reason:str", down, 0 }) }
SERVER(hold, 4, FULL_HOLD);
SERVER(refuse, 16, FULL_REFUSE);
SERVER(oldest, 8, FULL_DROP_OLDEST);
SERVER(newest, 8, FULL_DROP_NEWEST);

/* --- peers ------------------------------------------------------------------------------- */

struct peer { uint64_t waits; int64_t decoy; };

static int got(actor *self, const msg *m)
{
	struct peer *p = actor_state(self);

	(void)m;
	if (!p->waits--)
		twice++;
	answered++;
	return 0;
}

static int tick(actor *self, const msg *m)
{
	struct peer *p = actor_state(self);
	actor_ref to = actor_find(server_name(chance(SERVERS)));
	const char *what = chance(2) ? "slow" : "take";

	(void)m;
	for (uint32_t n = chance(12); n; n--)
		actor_send(self, to, "take", -1, 0);
	if (p->waits < 100 && (*what == 's' ? actor_ask(self, to, "slow", "got", (int)chance(5))
	                                    : actor_ask(self, to, "take", "got", 5, -1, 0)) > 0) {
		p->waits++;
		asked++;
	}
	if (p->decoy)
		actor_cancel(self, p->decoy);
	p->decoy = actor_after(self, 2, "tick");
	if (!stopping)
		actor_after(self, (int)chance(3), "tick");
	return chance(200) ? 0 : leave(self, m);
}

/* Ties to others come and go; now and then one fails, and those that are tied to it with it. */
static int tie(actor *self, const msg *m)
{
	char name[16];
	actor_ref other;

	(void)m;
	snprintf(name, sizeof name, "peer%u", chance(PEERS));
	other = actor_find(name);
	switch (chance(11)) {
	case 0: actor_link(self, other); break;
	case 1: actor_unlink(self, other); break;
	case 2: actor_monitor(self, other, "down"); break;
	case 3: actor_monitor(self, actor_find(server_name(chance(SERVERS))), "down"); break;
	case 4: actor_spawn(self, "peer", NULL); break;
	case 5: actor_stop(self, other); break;
	case 6: return ACTOR_EFAIL;
	case 7: actor_join(self, "kids", "hear"); break;
	case 8: actor_leave(self, "kids"); break;
	case 9: actor_publish(self, "kids", 1); break;
	default: break;
	}
	return stopping ? 0 : actor_send(self, other, "tie");
}

static int hear(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	heard++;
	return 0;
}

static int peer_start(actor *self)
{
	return actor_after(self, 0, "tick") < 0 ? ACTOR_EFAIL : 0;
}

static void peer_stop(actor *self)
{
	abandoned += ((struct peer *)actor_state(self))->waits;
}

static const struct actor_type peer = {
	.name = "peer", .state = sizeof(struct peer), .start = peer_start, .stop = peer_stop,
	.on = ON({ "tick", "", tick, 0 }, { "got", "n:int", got, 0 }, { "tie", "", tie, 0 },
	         { "down", "number:int name:str reason:str", down, 0 },
	         { "hear", "n:int", hear, 0 }),
	.mailbox = { .messages = 32, .full = FULL_HOLD },
	.children = { .strategy = REST_FOR_ONE, .restarts = 5, .seconds = 1 },
};

static int hire(actor *self, const msg *m)
{
	actor_spawn(self, "peer", msg_str(m, 0));
	return 0;
}

/* The parent of all peers but those without a name. */
static const struct actor_type root = {
	.name = "root", .on = ON({ "hire", "who:str", hire, 0 }),
	.children = { .strategy = ONE_FOR_ONE, .restarts = 10000, .seconds = 1 },
};

/* --- threads ----------------------------------------------------------------------------- */

static struct type *server_types[4], *peer_type;
static unsigned rounds;

static struct type *server_type(unsigned i)
{
	return server_types[i < 3 ? 0 : i - 2];
}

static void spawn(struct type *t, const char *name)
{
	struct spawn s = { .type = t, .name = name };
	struct why why;
	actor_id id;

	core_spawn(&s, &id, &why);              /* often there already */
}

/* From outside and overtaking, as the node does when it stops. */
static void stop_one(const char *name)
{
	struct worker *w = worker_acquire();
	struct target t;

	if (target_find(actor_find(name), &t, NULL) == 0)
		post_order(w, (uint64_t)t.gen << 32 | cell_index(t.cell),
			   &(struct order){FN_STOP, 0, 0, ""});
	worker_release(w);
}

static void drive_one(int64_t me, int64_t *sent)
{
	unsigned i = chance(SERVERS);
	char name[16];

	snprintf(name, sizeof name, "peer%u", chance(PEERS));
	switch (chance(16)) {
	case 0: stop_one(server_name(i)); break;
	case 1: stop_one(name); break;
	case 2: actor_send(NULL, actor_find(server_name(i)), "leave"); break;
	case 3: case 4: actor_send(NULL, actor_find("root"), "hire", name); break;
	case 5: spawn(peer_type, NULL); break;
	case 6: case 7: actor_send(NULL, actor_find(name), "tie"); break;
	default: actor_send(NULL, actor_find(server_name(i)), "take", me, ++sent[i]); break;
	}
	spawn(server_type(i), server_name(i));
}

static void *drive(void *arg)
{
	int64_t me = (int64_t)(intptr_t)arg, sent[SERVERS] = { 0 };

	for (unsigned i = 0; i < rounds || patches < rounds / 40 || answered < rounds / 4 ||
	                     heard < rounds / 40; i++) {
		drive_one(me, sent);
		if (i % 8 == 0)
			sched_yield();
	}
	return NULL;
}

/* Its code must have been given back before a variant is taken again. */
static bool patch_one(unsigned v)
{
	struct actor_handler on[] = { { "take", "from:int n:int", takes[v], 0 }, { 0, 0, 0, 0 } };
	struct change c[] = { { server_types[0], on, NULL },
	                      { server_types[1 + v % 3], on, NULL },
	                      { core_type("kid"), kids[v]->on, NULL } };
	struct code *code;
	struct why why;

	if (LOAD(&variant[v].state) == LIVE)
		return false;
	variant[v].state = LIVE;
	code = code_new(give_back, &variant[v].state);
	code_lies(code, kids[v], sizeof *kids[v]);      /* who is spawned by it holds it */
	if (core_change(c, c[2].type ? 3 : 2, ++patches, code, false, &why) < 0)
		fail_msg("%s", why.text);
	code_drop(code);
	return true;
}

static void *patch(void *arg)
{
	(void)arg;
	while (!stopping) {
		if (!patch_one(chance(VARIANTS)))
			core_grace();
		sched_yield();
	}
	return NULL;
}

static void see_actor(void *arg, const struct actor_info *a)
{
	*(uint64_t *)arg += a->depth;
}

static void see_handler(void *arg, const struct handler_info *h)
{
	*(uint64_t *)arg += h->calls;
}

static void *look(void *arg)
{
	struct core_totals t;
	uint64_t seen = 0;

	(void)arg;
	while (!stopping) {
		core_actors(see_actor, &seen);
		core_handlers(server_types[0], see_handler, &seen);
		core_totals(&t);
		sched_yield();
	}
	return NULL;
}

static _Atomic int timers_end;

static void *turn_timers(void *arg)
{
	(void)arg;
	while (!timers_end) {
		core_run_timers();
		ports.clock.wait_ms(ports.clock.arg, 1);
	}
	return NULL;
}

/* --- the test ---------------------------------------------------------------------------- */

static struct type *add(const struct actor_type *t)
{
	struct why why;
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		fail_msg("%s", why.text);
	return type;
}

static void add_types(void)
{
	server_types[0] = add(&hold);
	server_types[1] = add(&refuse);
	server_types[2] = add(&oldest);
	server_types[3] = add(&newest);
	peer_type = add(&peer);
	spawn(add(&root), "root");
	for (unsigned i = 0; i < SERVERS; i++)
		spawn(server_type(i), server_name(i));
}

static pthread_t thread(void *(*fn)(void *), intptr_t arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, fn, (void *)arg), 0);
	return t;
}

static void run_all(void)
{
	pthread_t driver[DRIVERS], others[2] = { thread(patch, 0), thread(look, 0) };

	for (int i = 0; i < DRIVERS; i++)
		driver[i] = thread(drive, i);
	for (int i = 0; i < DRIVERS; i++)
		pthread_join(driver[i], NULL);
	stopping = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(others[i], NULL);
}

/* A stop that has met the end of its actor hangs in a cell where nobody is born any more. */
static uint64_t hanging(void)
{
	uint64_t n = 0;

	for (uint32_t i = 1; i < cell_count(); i++)
		for (uint32_t at = LOAD(&cell_at(i)->control); at; at = msg_at(at)->next)
			n++;
	return n;
}

static void test_everything_at_once(void **state)
{
	struct core_config c = { .workers = WORKERS };
	const char *more = getenv("ROUNDS");
	struct core_totals t;
	struct why why;
	pthread_t timers;

	(void)state;
	rounds = more ? (unsigned)strtoul(more, NULL, 10) : ROUNDS;
	log_set_level(LOG_NONE);
	assert_int_equal(core_start(&c, &why), 0);
	add_types();
	timers = thread(turn_timers, 0);
	run_all();
	core_drain(500);
	assert_true(core_stop(20000));
	timers_end = 1;
	pthread_join(timers, NULL);
	core_totals(&t);
	printf("%llu sent, %llu handled, %llu dead letters, %llu refused; %llu asks, %llu answers; "
	       "%llu told of ends, %llu heard of groups; %llu patches, %llu given back\n",
	       (unsigned long long)t.sent,
	       (unsigned long long)t.handled, (unsigned long long)t.dead_letters,
	       (unsigned long long)t.refused, (unsigned long long)asked,
	       (unsigned long long)answered, (unsigned long long)told, (unsigned long long)heard,
	       (unsigned long long)patches,
	       (unsigned long long)given_back);
	assert_int_equal(t.actors, 0);
	core_counts(&t);                        /* the same, but by births and burials */
	assert_int_equal(t.actors, 0);
	assert_int_equal(wrong_order, 0);
	assert_int_equal(dead_code, 0);
	assert_int_equal(twice, 0);
	assert_int_equal(asked, answered + abandoned);
	assert_int_equal(t.sent, t.handled + t.dead_letters + t.expired + hanging());
	/* those in force, and the one that brought the type of kids */
	assert_true(patches - given_back <= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything_at_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
