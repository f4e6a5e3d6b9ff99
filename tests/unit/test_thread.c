/* SPDX-License-Identifier: MIT
 * test_thread.c - actors with a thread of their own, which may block, actors on the loop, what a
 * home gives to others at once, and a thread more for a pool whose workers all block. */
#include "log.h"
#include "run.h"
#include "thread.h"
#include "running.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWN = 128 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int started, ended;

static long thread_number(void)
{
	return syscall(SYS_gettid);
}

static int start(actor *self)
{
	(void)self;
	started++;
	return 0;
}

static void stop(actor *self)
{
	(void)self;
	ended++;
}

static int where(actor *self, const msg *m)
{
	(void)self, (void)m;
	happened(thread_number(), "where");
	return 0;
}

static int block(actor *self, const msg *m)
{
	(void)self, (void)m;
	happened(0, "blocked");
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

static int got(actor *self, const msg *m)
{
	(void)self;
	happened(msg_error(m), "got");
	return 0;
}

static int hit(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_int(m, 0) + 1);
}

static int ask(actor *self, const msg *m)
{
	(void)m;
	return actor_ask(self, actor_find("other"), "hit", "got", 20000, 1) < 0 ? ACTOR_EFAIL : 0;
}

static int trip(actor *self, const msg *m)
{
	(void)self, (void)m;
	return ACTOR_EFAIL;
}

static int end(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, actor_self(self));
	return 0;
}

static int watch(actor *self, const msg *m)
{
	(void)m;
	happened(actor_monitor(self, actor_find("newborn"), "down"), "watches");
	return 0;
}

static int down(actor *self, const msg *m)
{
	(void)self;
	happened(0, msg_str(m, 2));
	return 0;
}

static int fails(actor *self)
{
	(void)self;
	ended++;
	return ACTOR_EFAIL;
}

#define HANDLERS \
	ON({ "where", "", where, 0 }, { "block", "", block, 0 }, { "got", "...", got, 0 }, \
	   { "hit", "n:int", hit, 0 }, { "ask", "", ask, 0 }, { "end", "", end, 0 }, \
	   { "trip", "", trip, 0 }, { "watch", "", watch, 0 }, \
	   { "down", "number:int name:str reason:str", down, 0 })
static const struct actor_type own_type = {
	.name = "own", .on = HANDLERS, .start = start, .stop = stop, .where = ACTOR_THREAD,
};
static const struct actor_type pool_type = { .name = "pooled", .on = HANDLERS };
static const struct actor_type loop_type = { .name = "looped",
	                                     .on = HANDLERS,
	                                     .where = ACTOR_LOOP };
static const struct actor_type fails_type = {
	.name = "fails", .start = fails, .where = ACTOR_THREAD, .on = HANDLERS
};
static struct type *own, *pooled, *looped, *failing, *taking;

static void tell(actor_ref to, const char *what)
{
	struct call c = { .to = to, .what = what };
	struct why why = { "" };

	if (core_send(NULL, &c, &why) < 0)
		fail_msg("%s: %s", what, why.text);
}

static int64_t where_is(actor_id id)
{
	events = 0;
	tell(id, "where");
	expect_events(1);
	return last;
}

static void gone(actor_id id)
{
	core_end(id);
	UNTIL(!core_alive(id));
}

/* More of them block than there are workers; the pool goes on. */
static void test_they_block_and_nobody_waits(void **state)
{
	actor_id blocked[4], other = spawn(pooled, "other");
	struct actor_info info;
	int64_t there;

	(void)state;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++) {
		blocked[i] = spawn(own, NULL);
		tell(blocked[i], "block");
		expect_events(i + 1);
	}
	assert_int_equal(core_inspect(blocked[0], &info), 0);
	assert_string_equal(info.state, "running");
	assert_non_null(strstr(info.home, "thread "));
	assert_false(core_drain(10));
	there = where_is(other);
	assert_int_not_equal(there, thread_number());
	pthread_mutex_unlock(&gate);
	assert_true(core_drain(20000));
	assert_int_not_equal(where_is(blocked[0]), where_is(blocked[1]));
	there = where_is(blocked[2]);
	assert_int_equal(where_is(blocked[2]), there);
	for (int i = 0; i < 4; i++)
		gone(blocked[i]);
	gone(other);
}

static void test_asks_go_both_ways(void **state)
{
	actor_id here = spawn(own, NULL), other = spawn(own, "other");

	(void)state;
	tell(here, "ask");
	expect_events(1);
	assert_int_equal(last, 0);
	gone(other);
	other = spawn(pooled, "other");
	tell(here, "ask");
	expect_events(2);
	gone(here);
	gone(other);
}

/* The threads are used up, and come back as actors end, by whatever way. */
static void test_as_many_as_there_may_be(void **state)
{
	struct spawn s = { .type = own };
	struct why why = { "" };
	actor_id id[OWN], more;

	(void)state;
	for (int round = 0; round < 3; round++) {
		UNTIL(!thread_count());
		started = ended = 0;
		for (int i = 0; i < OWN; i++)
			id[i] = spawn(own, NULL);
		s.name = "one more";
		assert_int_equal(core_spawn(&s, &more, &why), ACTOR_ENOMEM);
		assert_non_null(strstr(why.text, "128 actors have a thread of their own"));
		assert_false(core_alive(actor_find("one more")));
		for (int i = 0; i < OWN; i++)
			tell(id[i], "end");
		UNTIL(ended >= OWN);
		assert_int_equal(started, OWN);
	}
}

static void test_a_start_that_fails(void **state)
{
	(void)state;
	ended = 0;
	spawn(failing, NULL);
	UNTIL(ended && !thread_count());
}

/* --- what finds a newborn by its name, before it has come to be ------------------------- */

static int (*place)(struct actor *a, struct why *why);

static bool all_counted(void)
{
	struct core_totals t;

	core_totals(&t);
	return t.sent == t.handled + t.dead_letters + t.expired;
}

static int stopped_meanwhile(struct actor *a, struct why *why)
{
	assert_int_equal(core_stop_actor(actor_find("newborn"), 0, why), 0);
	return place(a, why);
}

static void test_a_newborn_is_stopped(void **state)
{
	(void)state;
	started = 0;
	place = life_place;
	life_place = stopped_meanwhile;
	spawn(own, "newborn");
	life_place = place;
	UNTIL(!core_alive(actor_find("newborn")) && !thread_count());
	assert_int_equal(started, 0);
	UNTIL(all_counted());
}

/* There is no thread for it, but somebody watches it already. */
static int watched_meanwhile(struct actor *a, struct why *why)
{
	(void)a;
	tell(actor_find("watcher"), "watch");
	expect_events(1);
	return why_set(why, ACTOR_ENOMEM, "no thread today");
}

static void test_a_birth_is_given_up(void **state)
{
	struct spawn s = { .type = own, .name = "newborn" };
	struct why why;
	actor_id id;

	(void)state;
	spawn(pooled, "watcher");
	place = life_place;
	life_place = watched_meanwhile;
	assert_int_equal(core_spawn(&s, &id, &why), ACTOR_ENOMEM);
	life_place = place;
	expect_events(2);
	assert_string_equal(last_text, "newborn has ended");
	assert_int_equal(core_stop_actor(actor_find("watcher"), 0, &why), 0);
	UNTIL(!core_alive(actor_find("watcher")));
	UNTIL(all_counted());
}

/* It fails and begins again: on the thread that it had. */
static void test_a_restart(void **state)
{
	actor_id id = spawn(own, "phoenix");
	actor_ref by_name = actor_find("phoenix");
	int64_t there = where_is(id);
	struct actor_info info;

	(void)state;
	started = 0;
	tell(by_name, "trip");
	UNTIL(started);
	assert_int_equal(where_is(by_name), there);
	assert_int_equal(core_inspect(by_name, &info), 0);
	assert_int_equal(info.restarts, 1);
	assert_false(core_alive(id));
	core_end(info.id);
	UNTIL(!core_alive(by_name) && !thread_count());
}

static struct home *home;
static _Atomic int woken;

static void wake(void *arg)
{
	(void)arg;
	woken = 1;
}

static void test_on_the_loop(void **state)
{
	struct spawn s = { .type = looped };
	struct why why = { "" };
	actor_id id;

	(void)state;
	assert_int_equal(core_spawn(&s, &id, &why), ACTOR_EFAIL);
	assert_non_null(strstr(why.text, "no I/O loop"));
	home = home_new("loop", wake, NULL);
	core_set_loop(home);
	home_enter(home);
	id = spawn(looped, NULL);
	tell(id, "where");
	while (home_run(home))
		;
	expect_events(1);
	assert_int_equal(last, thread_number());
	core_end(id);
	while (home_run(home))
		;
	core_set_loop(NULL);
	home_leave(home);
}

/* --- what a home gives at once ---------------------------------------------------------- */

enum { ROOM = 200 };

static struct taker { int64_t next; bool orderly; } takers[2];

static int take(actor *self, const msg *m)
{
	struct taker *t = &takers[msg_int(m, 0)];

	(void)self;
	t->orderly = t->orderly && msg_int(m, 1) == t->next++;
	happened(msg_int(m, 1), "take");
	return 0;
}

static const struct actor_type taker_type = {
	.name = "taker",
	.mailbox = { ROOM, 1 << 20, 0 },
	.on = ON({ "take", "which:int n:int", take, 0 }, { "block", "", block, 0 }),
};

static int give(actor_id to, int64_t which, int64_t n)
{
	struct buf args = { 0 };
	struct call c = { .to = to, .what = "take", .count = 2 };
	struct why why;
	int rc;

	pack_int(&args, which);
	pack_int(&args, n);
	c.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	rc = core_send(NULL, &c, &why);
	buf_fini(&args);
	return rc;
}

static void enter(void)
{
	for (int i = 0; i < 2; i++)
		takers[i] = (struct taker){ 0, true };
	home_enter(home);
}

static void left(int64_t n)
{
	expect_events(n);
	assert_true(takers[0].orderly && takers[1].orderly);
	home_leave(home);
}

/* For one, and then for two in turns: what each gets is in order, and nothing is lost. */
static void test_what_is_gathered_is_in_order(void **state)
{
	actor_id to[2] = { spawn(taking, NULL), spawn(taking, NULL) };
	int64_t n = 0;

	(void)state;
	enter();
	core_gather();
	for (; n < ROOM / 4; n++)
		assert_int_equal(give(to[0], 0, n), 0);
	assert_int_equal(events, 0);            /* it waits for who gathers */
	for (; n < ROOM / 2; n++)
		for (int i = 0; i < 2; i++)
			assert_int_equal(give(to[i], i, i ? n - ROOM / 4 : n), 0);
	core_gathered();
	left(ROOM / 2 + ROOM / 4);
	gone(to[0]);
	gone(to[1]);
}

/* The mailbox is full: who gathers is told at once, and what it took before comes. */
static void test_what_is_gathered_finds_no_room(void **state)
{
	actor_id to = spawn(taking, NULL);
	int64_t n = 0;

	(void)state;
	pthread_mutex_lock(&gate);
	tell(to, "block");
	expect_events(1);
	enter();
	core_gather();
	while (n < 2 * ROOM && give(to, 0, n) == 0)
		n++;
	assert_in_range(n, 1, ROOM);
	assert_int_equal(give(to, 0, n), ACTOR_EFULL);
	core_gathered();
	pthread_mutex_unlock(&gate);
	left(1 + n);
	gone(to);
}

/* Nobody is there any more. */
static void test_what_is_gathered_for_nobody(void **state)
{
	actor_id to = spawn(taking, NULL);

	(void)state;
	gone(to);
	enter();
	core_gather();
	assert_int_equal(give(to, 0, 0), ACTOR_ENOENT);
	core_gathered();
	left(0);
}

/* --- a pool that blocks ------------------------------------------------------------------- */

static void nothing(void *arg, const struct worker_info *w)
{
	(void)arg, (void)w;
}

/* Somebody looks at the workers as long. */
static void wait_ticks(uint32_t n)
{
	for (uint32_t from = LOAD(&run_tick); LOAD(&run_tick) - from < n;)
		core_workers(nothing, NULL);
}

static int lines_with(const char *text)
{
	struct log_kept line;
	int n = 0;

	for (uint64_t i = log_oldest(); i <= log_newest(); i++)
		n += log_read(i, &line) && strstr(line.line, text);
	return n;
}

/* All workers block, and a thread more cannot be had: that is said once, and it comes when it can.
 * The watch tries at each tick. This is the first test: where the machine is slow others may bring
 * a spare about, and here there are to be two workers. */
static void test_no_thread_for_a_spare(void **state)
{
	pthread_attr_t usual, none;
	actor_id blocked[2], other;

	(void)state;
	pthread_getattr_default_np(&usual);
	pthread_getattr_default_np(&none);
	pthread_attr_setstacksize(&none, (size_t)1 << 47);      /* more than there can be */
	assert_int_equal(pthread_setattr_default_np(&none), 0);
	other = spawn(pooled, NULL);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 2; i++) {
		blocked[i] = spawn(pooled, NULL);
		tell(blocked[i], "block");
		expect_events(i + 1);
	}
	tell(other, "where");
	wait_ticks(20);
	expect_events(2);
	assert_int_equal(lines_with("cannot start spare 2"), 1);
	assert_int_equal(pthread_setattr_default_np(&usual), 0);
	expect_events(3);
	pthread_mutex_unlock(&gate);
	gone(blocked[0]);
	gone(blocked[1]);
	gone(other);
	pthread_attr_destroy(&usual);
	pthread_attr_destroy(&none);
}

static int own_setup(void **state)
{
	if (group_setup(state))
		return -1;
	own = add(&own_type);
	pooled = add(&pool_type);
	looped = add(&loop_type);
	failing = add(&fails_type);
	taking = add(&taker_type);
	return 0;
}

/* Those that are left are stopped in time. */
static int own_teardown(void **state)
{
	int before = ended, rc;

	where_is(spawn(own, NULL));
	where_is(spawn(own, NULL));
	rc = group_teardown(state);
	home_free(home);
	return rc || ended != before + 2;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_thread_for_a_spare, setup),
		cmocka_unit_test_setup(test_they_block_and_nobody_waits, setup),
		cmocka_unit_test_setup(test_asks_go_both_ways, setup),
		cmocka_unit_test_setup(test_as_many_as_there_may_be, setup),
		cmocka_unit_test_setup(test_a_start_that_fails, setup),
		cmocka_unit_test_setup(test_a_newborn_is_stopped, setup),
		cmocka_unit_test_setup(test_a_birth_is_given_up, setup),
		cmocka_unit_test_setup(test_a_restart, setup),
		cmocka_unit_test_setup(test_on_the_loop, setup),
		cmocka_unit_test_setup(test_what_is_gathered_is_in_order, setup),
		cmocka_unit_test_setup(test_what_is_gathered_finds_no_room, setup),
		cmocka_unit_test_setup(test_what_is_gathered_for_nobody, setup),
	};

	return cmocka_run_group_tests(tests, own_setup, own_teardown);
}
