/* SPDX-License-Identifier: MIT
 * test_migrate.c - states that change their shape under load: a thousand actors that a thread keeps
 * sending to are migrated and taken back many times, no message is lost, none meets a state of the
 * other shape, and who gets a message from new code has gone over first. In each round one of the
 * thousand cannot at first, and then none does. And one that is held by a full mailbox goes over
 * where it stands. */
#include "running.h"

#include <sched.h>
#include <stdatomic.h>

enum { ACTORS = 1000, ROUNDS = 40 };

struct small { int64_t shape, n; };
struct large { int64_t filler[20], shape, n; };

static _Atomic uint64_t wrong, handled[3];
static _Atomic int64_t cannot;  /* whose state there is no way for: the one with so many */
static _Atomic int era;         /* odd: from small to large */
static actor_id all[ACTORS];

static int small_add(actor *self, const msg *m)
{
	struct small *s = actor_state(self);

	(void)m;
	if (s->shape != 1)
		wrong++;
	s->n++;
	handled[1]++;
	return actor_send(self, all[(uint64_t)s->n * 7919 % ACTORS], "heard", 1, era) ==
	       ACTOR_EARGS;
}

static int large_add(actor *self, const msg *m)
{
	struct large *s = actor_state(self);

	(void)m;
	if (s->shape != 2)
		wrong++;
	s->n++;
	handled[2]++;
	return actor_send(self, all[(uint64_t)s->n * 7919 % ACTORS], "heard", 2, era) ==
	       ACTOR_EARGS;
}

/* In an era there is one migration: what its new code has sent must not meet the old code. */
static int small_heard(actor *self, const msg *m)
{
	struct small *s = actor_state(self);

	if (s->shape != 1 || (msg_int(m, 0) == 2 && msg_int(m, 1) == era && era % 2))
		wrong++;
	return 0;
}

static int large_heard(actor *self, const msg *m)
{
	struct large *s = actor_state(self);

	if (s->shape != 2 || (msg_int(m, 0) == 1 && msg_int(m, 1) == era && era % 2 == 0))
		wrong++;
	return 0;
}

static int small_start(actor *self)
{
	((struct small *)actor_state(self))->shape = 1;
	return 0;
}

static int large_start(actor *self)
{
	((struct large *)actor_state(self))->shape = 2;
	return 0;
}

static int tell(actor *self, const msg *m)
{
	(void)m;
	happened(*(int64_t *)actor_state(self), "");
	return 0;
}

static int tell_large(actor *self, const msg *m)
{
	(void)m;
	happened(((struct large *)actor_state(self))->n, "");
	return 0;
}

static int tell_small(actor *self, const msg *m)
{
	(void)m;
	happened(((struct small *)actor_state(self))->n, "");
	return 0;
}

static int widen(const void *from, void *to)
{
	const struct small *s = from;
	struct large *l = to;

	if (s->shape != 1)
		wrong++;
	l->shape = 2;
	l->n = s->n;
	return cannot && s->n >= cannot ? 7 : 0;
}

static int narrow(const void *from, void *to)
{
	const struct large *l = from;
	struct small *s = to;

	if (l->shape != 2)
		wrong++;
	s->shape = 1;
	s->n = l->n;
	return cannot && l->n >= cannot ? 7 : 0;
}

static const struct actor_type small_type = {
	.name = "shifting", .state = sizeof(struct small), .start = small_start,
	.mailbox = { .messages = 32767, .bytes = 8 << 20 },
	.on = ON({ "add", "from:int", small_add, 0 }, { "heard", "by:int era:int", small_heard, 0 },
	         { "tell", "", tell_small, 0 }),
};
static const struct actor_type large_type = {
	.name = "shifting", .state = sizeof(struct large), .start = large_start,
	.on = ON({ "add", "from:int", large_add, 0 }, { "heard", "by:int era:int", large_heard, 0 },
	         { "tell", "", tell_large, 0 }),
};

static int send_int(actor_id to, const char *what)
{
	struct buf args = { 0 };
	struct call c = { .to = to, .what = what, .origin = FROM_NODE };
	struct why why;
	int rc;

	if (!strcmp(what, "add")) {
		pack_int(&args, 0);
		c.count = 1;
	}
	c.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	rc = core_send(NULL, &c, &why);
	buf_fini(&args);
	return rc;
}

static _Atomic bool ended, paused, pausing;
static _Atomic uint64_t sent;

static void *load(void *arg)
{
	uint64_t i = 0;

	while (!ended) {
		pausing = paused;
		if (pausing) {
			sched_yield();
			continue;
		}
		sent += send_int(all[i++ * 31 % ACTORS], "add") == 0;
	}
	return arg;
}

static struct type *back(struct type *t)
{
	struct back b = { .type = t };
	struct why why;

	if (core_restore(&b, 1, &why) < 0)
		fail_msg("%s", why.text);
	assert_ptr_not_equal(core_type(type_name(t)), t);
	return core_type(type_name(t));
}

static struct type *forth(struct type *t, const struct migration *m, uint32_t version)
{
	struct change c = { t, m->to->on, m };
	struct why why;

	if (core_change(&c, 1, version, NULL, false, &why) < 0)
		fail_msg("%s", why.text);
	assert_ptr_not_equal(core_type(type_name(t)), t);
	return core_type(type_name(t));
}

/* Refused, while the load goes on: the type stays, and so do all that have it. */
static void none_does(struct type *t, const struct migration *m)
{
	struct change c = { t, m->to->on, m };
	struct back b = { .type = t };
	struct why why = { "" };
	int rc;

	cannot = 1;
	rc = core_can_go_back(t) ? core_restore(&b, 1, &why)
				 : core_change(&c, 1, 1, NULL, false, &why);
	cannot = 0;
	assert_int_equal(rc, ACTOR_EFAIL);
	assert_string_equal(why.text, "shifting.migrate returned 7");
	assert_ptr_equal(core_type(type_name(t)), t);
	core_grace();
}

static void under_load(void **state)
{
	struct type *t = add(&small_type);
	struct migration m = { &large_type, widen, narrow };
	int64_t total = 0;
	pthread_t thread;

	(void)state;
	for (int i = 0; i < ACTORS; i++)
		all[i] = spawn(t, NULL);
	assert_int_equal(pthread_create(&thread, NULL, load, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before, old;

		paused = true;
		UNTIL(pausing);
		assert_true(core_drain(20000));
		era = i + 1;
		before = handled[2 - i % 2];
		old = handled[1 + i % 2];
		paused = false;
		UNTIL(handled[1 + i % 2] != old);
		none_does(t, &m);
		assert_int_equal(handled[2 - i % 2], before);
		t = i % 2 ? back(t) : forth(t, &m, (uint32_t)i + 1);
		UNTIL(handled[2 - i % 2] != before || wrong);
		core_grace();
	}
	ended = true;
	pthread_join(thread, NULL);
	assert_true(core_drain(20000));
	assert_int_equal(wrong, 0);
	assert_int_equal(handled[1] + handled[2], sent);
	for (int i = 0; i < ACTORS; i++) {
		assert_int_equal(send_int(all[i], "tell"), 0);
		expect_events(i + 1);
		total += last;
	}
	assert_int_equal(total, sent);
}

/* --- while it waits for room in another's mailbox ---------- */

enum { POURED = 6 };      /* four in the mailbox, and two that are kept for it */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int taken;

static int drip(actor *self, const msg *m)
{
	(void)self, (void)m;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	taken++;
	return 0;
}

static int pour(actor *self, const msg *m)
{
	(void)m;
	((struct small *)actor_state(self))->n += POURED;
	for (int i = 0; i < POURED; i++)
		if (actor_send(self, actor_find("basin"), "drip"))
			wrong++;
	return 0;
}

static const struct actor_type basin_type = {
	.name = "basin", .mailbox = { .messages = 4, .full = FULL_HOLD },
	.on = ON({ "drip", "", drip, 0 }),
};
static const struct actor_type pourer_type = {
	.name = "pourer", .state = sizeof(struct small), .start = small_start,
	.on = ON({ "pour", "", pour, 0 }, { "tell", "", tell_small, 0 }),
};
static const struct actor_type large_pourer_type = {
	.name = "pourer", .state = sizeof(struct large), .start = large_start,
	.on = ON({ "pour", "", pour, 0 }, { "tell", "", tell_large, 0 }),
};

static bool is_held(actor_id id)
{
	struct actor_info info;

	return !core_inspect(id, &info) && !strcmp(info.state, "held");
}

static void while_held(void **state)
{
	struct migration m = { &large_pourer_type, widen, narrow };
	struct type *t = add(&pourer_type);
	struct actor_info info;
	actor_id id;

	(void)state;
	spawn(add(&basin_type), "basin");
	pthread_mutex_lock(&gate);
	id = spawn(t, NULL);
	assert_int_equal(send_int(id, "pour"), 0);
	assert_int_equal(send_int(id, "tell"), 0);      /* waits behind, and meets the new code */
	UNTIL(is_held(id));
	t = forth(t, &m, 2000);
	UNTIL(!core_inspect(id, &info) && info.state_size == sizeof(struct large));
	assert_true(is_held(id));
	assert_int_equal(events, 0);
	pthread_mutex_unlock(&gate);
	expect_events(1);
	assert_int_equal(last, POURED);
	UNTIL(taken == POURED);
	back(t);
	assert_int_equal(send_int(id, "tell"), 0);
	expect_events(2);
	assert_int_equal(last, POURED);
	assert_int_equal(wrong, 0);
}

/* --- what goes wrong ---------- */

static int refuse_state(const void *from, void *to)
{
	(void)from, (void)to;
	return -1;
}

static const struct actor_type one_type = {
	.name = "single", .state = 8, .on = ON({ "tell", "", tell, 0 }),
};
static const struct actor_type other_type = {
	.name = "single", .state = 200, .on = ON({ "tell", "", tell, 0 }),
};

static const struct actor_type partly = {
	.name = "shifting", .state = 8, .on = ON({ "tell", "", tell, 0 }),
};

static void what_goes_wrong(void **state)
{
	struct migration m = { &partly, widen, NULL };
	struct change c = { core_type("shifting"), partly.on, &m };
	struct type *single = add(&one_type);
	struct back b = { .type = single };
	actor_id id = spawn(single, NULL);
	struct actor_info info;
	struct why why;

	(void)state;
	assert_int_equal(send_int(id, "tell"), 0);
	expect_events(1);               /* one that has not started has no state to move */
	assert_int_equal(core_change(&c, 1, 1000, NULL, true, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "is not in the patch"));
	assert_int_equal(core_restore(&b, 1, &why), ACTOR_EFAIL);
	m = (struct migration){ &other_type, refuse_state, NULL };
	c = (struct change){ single, other_type.on, &m };
	assert_int_equal(core_change(&c, 1, 1001, NULL, true, &why), 0);
	assert_ptr_equal(core_type("single"), single);
	assert_int_equal(core_change(&c, 1, 1001, NULL, false, &why), ACTOR_EFAIL);
	assert_string_equal(why.text, "single.migrate returned -1");
	assert_ptr_equal(core_type("single"), single);
	assert_int_equal(send_int(id, "tell"), 0);
	expect_events(2);
	assert_int_equal(core_inspect(id, &info), 0);
	assert_int_equal(info.restarts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(under_load, setup),
		cmocka_unit_test_setup(while_held, setup),
		cmocka_unit_test_setup(what_goes_wrong, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
