/* SPDX-License-Identifier: MIT
 * test_lease.c - what is sent under a lease is handled while it holds, and else told; renewed, it
 * is another one. Whoever sends is at a home, which is this thread. */
#include "ports.h"
#include "waiting.h"

enum { LONG_MS = 3600000 };

static struct home *home;
static actor *sender;
static struct type *workers;
static actor_id worker_id;
static _Atomic int handled, wanted;     /* of the latter, those that somebody asked for */
static int told, lapsed, answers;
static int64_t followed;

static bool is_open;

static int work(actor *self, const msg *m)
{
	(void)self;
	assert_int_equal(msg_error(m), 0);
	assert_int_equal(msg_count(m), 1);
	wanted += msg_defer(m) != 0;
	handled++;
	return 0;
}

static int block(actor *self, const msg *m)
{
	(void)self, (void)m;
	handled++;
	pthread_mutex_lock(&lock);
	while (!is_open)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void set_open(bool on)
{
	pthread_mutex_lock(&lock);
	is_open = on;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int refuse(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "not this one");
}

/* self: what it sent is through. */
static int tell(actor *self, const msg *m)
{
	(void)self;
	told += !msg_error(m) && msg_ask(m) == followed;
	lapsed += msg_error(m) == CORE_LAPSED;
	answers++;
	return 0;
}

static const struct actor_type worker_type = {
	.name = "worker",
	.on = ON({ "work", "n:int", work, 0 }, { "block", "n:int", block, 0 },
	         { "refuse", "n:int", refuse, 0 }),
}, sender_type = {
	.name = "sender",
	.on = ON({ "tell", "...", tell, 0 }),
};

static void wake(void *arg)
{
	(void)arg;
}

static void run_until(int n)
{
	UNTIL((home_run(home), answers >= n));
}

static struct call call_of(const char *what)
{
	static const uint8_t one[] = { 1 };

	return (struct call){ .to = worker_id, .what = what, .args = { one, one + 1 }, .count = 1,
	                      .lease = core_lease() };
}

static void follow(const char *what)
{
	struct call c = call_of(what);
	struct why why = { "" };

	followed = core_follow(sender, &c, "tell", &why);
	if (followed <= 0)
		fail_msg("%s", why.text);
}

static void ask(const char *what)
{
	struct call c = call_of(what);

	assert_true(core_ask(sender, &c, "tell", 20000, NULL) > 0);
}

static struct type *add(const struct actor_type *t)
{
	struct why why = { "" };
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		fail_msg("%s", why.text);
	return type;
}

static actor_id spawn(struct type *type, struct home *h)
{
	struct why why = { "" };
	actor_id id = 0;

	if (core_spawn(&(struct spawn){ .type = type, .home = h }, &id, &why) < 0)
		fail_msg("%s", why.text);
	return id;
}

static int fresh(void **state)
{
	(void)state;
	handled = wanted = 0;
	told = lapsed = answers = 0;
	core_lease_until(0);
	core_lease_until(boot_ms() + LONG_MS);
	return 0;
}

static void it_holds(void **state)
{
	uint32_t lease = core_lease();

	(void)state;
	follow("work");
	run_until(1);
	core_lease_until(boot_ms() + 2 * LONG_MS);
	assert_int_equal(core_lease(), lease);
	ask("work");
	UNTIL(handled == 2);
	assert_int_equal(wanted, 1);            /* the one that was asked for */
	assert_int_equal(told, 1);
	assert_int_equal(lapsed, 0);
	follow("refuse");
	ask("refuse");
	run_until(3);
	assert_int_equal(lapsed, 0);
	assert_int_equal(told, 2);
}

/* What had begun ends, the rest is not handled; also when another lease holds by then. */
static void it_lapses(void **state)
{
	for (int renewed = 0; renewed < 2; renewed++) {
		fresh(state);
		set_open(false);
		follow("block");
		UNTIL(handled == 1);
		follow("work");
		ask("work");
		ask("refuse");
		core_lease_until(0);
		if (renewed) {
			core_lease_until(boot_ms() + LONG_MS);
			follow("work");
		}
		set_open(true);
		run_until(4 + renewed);
		assert_int_equal(handled, 1 + renewed);
		assert_int_equal(lapsed, 3);
		assert_int_equal(told, renewed);        /* the last that was followed */
	}
}

/* Who ends with it in its mailbox says so by the mark alone. */
static void nobody_is_there(void **state)
{
	actor_id first = worker_id;

	(void)state;
	set_open(false);
	follow("block");
	UNTIL(handled == 1);
	follow("work");
	core_end(worker_id);
	set_open(true);
	run_until(3);         /* also what it_holds() asked, as who would have answered has ended */
	assert_int_equal(handled, 1);
	assert_int_equal(told, 1);
	assert_int_equal(lapsed, 0);
	UNTIL(!core_alive(first));
	assert_true(core_follow(sender, &(struct call){ .to = first, .what = "work" }, "tell",
	                        NULL) < 0);
}

/* What ends with it void in its mailbox says so. */
static void nobody_is_there_and_it_lapsed(void **state)
{
	(void)state;
	worker_id = spawn(workers, NULL);
	set_open(false);
	follow("block");
	UNTIL(handled == 1);
	follow("work");
	ask("work");
	core_end(worker_id);
	core_lease_until(0);
	set_open(true);
	run_until(3);
	assert_int_equal(handled, 1);
	assert_int_equal(lapsed, 2);
	assert_int_equal(told, 0);
}

/* Who finds it lapsed ends it: no renewal brings that one back. */
static void it_ends_for_good(void **state)
{
	uint32_t lease = core_lease();

	(void)state;
	assert_true(core_lease_holds(lease));
	core_lease_until(0);
	assert_false(core_lease_holds(lease));
	assert_int_not_equal(core_lease(), lease);
	core_lease_until(boot_ms() + LONG_MS);
	assert_false(core_lease_holds(lease));
	assert_true(core_lease_holds(core_lease()));
}

static int64_t slept_ns(void *arg)
{
	(void)arg;
	return now_ns() + (LONG_MS + 1) * 1000000ll;
}

/* Its own clock stood still meanwhile, the others' did not. */
static void the_machine_was_suspended(void **state)
{
	int64_t (*boot_ns)(void *arg) = ports.clock.boot_ns;
	uint32_t lease = core_lease();

	(void)state;
	follow("work");
	run_until(1);
	assert_int_equal(handled, 1);
	ports.clock.boot_ns = slept_ns;
	follow("work");
	run_until(2);
	assert_false(core_lease_holds(lease));
	ports.clock.boot_ns = boot_ns;
	assert_int_equal(handled, 1);
	assert_int_equal(lapsed, 1);
}

static int end(void **state)
{
	home_leave(home);
	(void)state;
	if (pool_end())
		return -1;
	home_free(home);
	return 0;
}

static int start(void **state)
{
	actor_id id;

	(void)state;
	if (pool_begin(&(struct core_config){ .workers = 2 }))
		return -1;
	workers = add(&worker_type);
	worker_id = spawn(workers, NULL);
	home = home_new("test", wake, NULL);
	id = spawn(add(&sender_type), home);
	home_run(home);
	sender = core_actor(id);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_holds, fresh),
		cmocka_unit_test_setup(it_lapses, fresh),
		cmocka_unit_test_setup(the_machine_was_suspended, fresh),
		cmocka_unit_test_setup(nobody_is_there, fresh),
		cmocka_unit_test_setup(nobody_is_there_and_it_lapsed, fresh),
		cmocka_unit_test_setup(it_ends_for_good, fresh),
	};

	return cmocka_run_group_tests(tests, start, end);
}
