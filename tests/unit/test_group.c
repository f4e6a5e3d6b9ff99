/* SPDX-License-Identifier: MIT
 * test_group.c - groups: who gets what is published, who is picked, who has left or ended. */
#include "running.h"

enum { MEMBERS = 10 };
static _Atomic int heard[MEMBERS], handled;
static struct type *member_type;
static actor_id member[MEMBERS];

struct self { int i; };

static int join(actor *self, const msg *m)
{
	((struct self *)actor_state(self))->i = (int)msg_int(m, 1);
	happened(actor_join(self, msg_str(m, 0), msg_str(m, 2)), "joined");
	return 0;
}

static int leave(actor *self, const msg *m)
{
	happened(actor_leave(self, msg_str(m, 0)), "left");
	return 0;
}

static int hear(actor *self, const msg *m)
{
	heard[((struct self *)actor_state(self))->i] += (int)msg_int(m, 0);
	handled++;
	return 0;
}

static int hear_num(actor *self, const msg *m)
{
	heard[((struct self *)actor_state(self))->i] += (int)(1000 * msg_num(m, 0));
	handled++;
	return 0;
}

static int tell(actor *self, const msg *m)
{
	happened(actor_publish(self, msg_str(m, 0), msg_int(m, 1)), "published");
	return 0;
}

static int tell_text(actor *self, const msg *m)
{
	happened(actor_publish(self, msg_str(m, 0), "text", 1, 2.5), "published");
	return 0;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int block(actor *self, const msg *m)
{
	(void)self, (void)m;
	happened(0, "blocked");
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

static const struct actor_type member_table = {
	.name = "member",
	.state = sizeof(struct self),
	.on = ON({ "join", "group:str i:int then:str", join, 0 },
	         { "leave", "group:str", leave, 0 }, { "hear", "n:int", hear, 0 },
	         { "hear_num", "n:num", hear_num, 0 }, { "tell", "group:str n:int", tell, 0 },
	         { "tell_text", "group:str", tell_text, 0 }, { "block", "", block, 0 }),
};

/* What it says of itself. */
static int64_t ask(actor_id to, const char *what, const char *group, int n, const char *then)
{
	struct buf b = { 0 };
	struct call c = { .to = to, .what = what, .count = 0 };
	struct why why = { "" };
	int rc;

	events = 0;
	if (group)
		pack_text(&b, group), c.count++;
	if (n >= 0)
		pack_int(&b, n), c.count++;
	if (then)
		pack_text(&b, then), c.count++;
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	while ((rc = core_send(NULL, &c, &why)) == ACTOR_EFULL)         /* of what is published */
		sched_yield();
	if (rc < 0)
		fail_msg("%s", why.text);
	buf_fini(&b);
	expect_events(1);
	return last;
}

static void wait_handled(int n)
{
	UNTIL(handled >= n);
	assert_int_equal(handled, n);
	handled = 0;
}

static int begin(void **state)
{
	setup(state);
	handled = 0;
	for (int i = 0; i < MEMBERS; i++) {
		heard[i] = 0;
		member[i] = spawn(member_type, NULL);
		assert_int_equal(ask(member[i], "join", "all", i, i % 2 ? "hear" : "hear_num"), 0);
	}
	return 0;
}

static void end_one(int i)
{
	core_end(member[i]);
	UNTIL(!core_alive(member[i]));
}

static int end(void **state)
{
	(void)state;
	for (int i = 0; i < MEMBERS; i++)
		if (core_alive(member[i]))
			end_one(i);
	return 0;
}

static void test_all_hear(void **state)
{
	(void)state;
	assert_int_equal(ask(member[0], "tell", "all", 7, NULL), MEMBERS);
	wait_handled(MEMBERS);
	for (int i = 0; i < MEMBERS; i++)
		assert_int_equal(heard[i], i % 2 ? 7 : 7000);
	assert_int_equal(ask(member[0], "tell_text", "all", -1, NULL), 0);     /* fits nobody */
	assert_int_equal(ask(member[0], "tell", "nobody", 1, NULL), 0);
}

static void test_who_leaves_and_who_ends(void **state)
{
	(void)state;
	assert_int_equal(ask(member[1], "leave", "all", -1, NULL), 0);
	assert_int_equal(ask(member[1], "leave", "all", -1, NULL), ACTOR_ENOENT);
	assert_int_equal(ask(member[1], "leave", "never", -1, NULL), ACTOR_ENOENT);
	end_one(2);
	assert_int_equal(ask(member[0], "tell", "all", 1, NULL), MEMBERS - 2);
	wait_handled(MEMBERS - 2);
	assert_int_equal(heard[1] + heard[2], 0);
	/* Joining again changes the handler, and is no second membership. */
	assert_int_equal(ask(member[0], "join", "all", 0, "hear"), 0);
	assert_int_equal(ask(member[0], "tell", "all", 1, NULL), MEMBERS - 2);
	wait_handled(MEMBERS - 2);
	assert_int_equal(heard[0], 1001);
	assert_int_equal(ask(member[0], "join", "all", 0, "mishear"), ACTOR_ENOENT);
}

static void test_core_publishes(void **state)
{
	struct buf b = { 0 };

	(void)state;
	pack_int(&b, 5);
	assert_int_equal(core_publish(NULL, "all",
	                              (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len }, 1),
	                 MEMBERS);
	wait_handled(MEMBERS);
	buf_fini(&b);
}

static int index_of(actor_ref ref)
{
	for (int i = 0; i < MEMBERS; i++)
		if (member[i] == ref)
			return i;
	fail_msg("picked %lx", ref);
	return -1;
}

static void test_one_after_the_other(void **state)
{
	int picked[MEMBERS] = { 0 };

	(void)state;
	for (int i = 0; i < 5 * MEMBERS; i++)
		picked[index_of(actor_pick("all", PICK_TURN, NULL))]++;
	for (int i = 0; i < MEMBERS; i++)
		assert_int_equal(picked[i], 5);
	end_one(3);
	for (int i = 0; i < 5 * MEMBERS; i++)
		assert_int_not_equal(index_of(actor_pick("all", PICK_TURN, NULL)), 3);
	assert_int_equal(actor_pick("nobody", PICK_TURN, NULL), 0);
	for (int i = 0; i < MEMBERS; i++)
		if (i != 3)
			end_one(i);
	assert_int_equal(actor_pick("all", PICK_TURN, NULL), 0);
}

/* One is busy and has messages; it is not picked. */
static void test_the_idlest(void **state)
{
	(void)state;
	pthread_mutex_lock(&gate);
	ask(member[4], "block", NULL, -1, NULL);
	for (int i = 0; i < 5 * MEMBERS; i++)
		assert_int_not_equal(index_of(actor_pick("all", PICK_IDLEST, NULL)), 4);
	pthread_mutex_unlock(&gate);
}

/* The same key, the same member; when one ends, only its keys move, and spread over the others. */
static void test_by_key(void **state)
{
	enum { KEYS = 1000 };
	int before[KEYS], count[MEMBERS] = { 0 }, moved = 0;
	char key[16];

	(void)state;
	for (int k = 0; k < KEYS; k++) {
		snprintf(key, sizeof key, "user %d", k);
		before[k] = index_of(actor_pick("all", PICK_KEY, key));
		count[before[k]]++;
		assert_int_equal(index_of(actor_pick("all", PICK_KEY, key)), before[k]);
	}
	for (int i = 0; i < MEMBERS; i++)
		assert_in_range(count[i], KEYS / MEMBERS / 2, 2 * KEYS / MEMBERS);
	end_one(5);
	for (int k = 0; k < KEYS; k++) {
		snprintf(key, sizeof key, "user %d", k);
		moved += index_of(actor_pick("all", PICK_KEY, key)) != before[k];
	}
	assert_int_equal(moved, count[5]);
}

/* Joins and leaves while others publish: nobody is lost, nothing is read that is gone. */
static void *publish(void *arg)
{
	struct buf b = { 0 };

	(void)arg;
	pack_int(&b, 0);
	for (int i = 0; i < 2000; i++)
		core_publish(NULL, "all", (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len },
		             1);
	buf_fini(&b);
	return NULL;
}

static void test_at_once(void **state)
{
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, publish, NULL), 0);
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < MEMBERS; i++) {
			ask(member[i], "leave", "all", -1, NULL);
			ask(member[i], "join", "all", i, "hear");
		}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	UNTIL(core_drain(100));
	handled = 0;
	assert_int_equal(ask(member[0], "tell", "all", 1, NULL), MEMBERS);
	wait_handled(MEMBERS);
}

/* Far more than a list is made anew for: they join, half of them leave, the others end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CROWD = 10000 };
#else
enum { CROWD = 100000 };
#endif
static actor_id crowd[CROWD];
static _Atomic int joined;

static int come(actor *self)
{
	int rc = actor_join(self, "crowd", "hear");

	joined++;
	return rc;
}

static int go(actor *self, const msg *m)
{
	(void)m;
	joined -= actor_leave(self, "crowd") == 0;
	return 0;
}

static const struct actor_type one_of_many = {
	.name = "one_of_many", .state = sizeof(struct self), .start = come,
	.on = ON({ "hear", "n:int", hear, 0 }, { "go", "", go, 0 }),
};

static int tell_crowd(void)
{
	static const uint8_t none[] = { 0 };    /* the integer 0 in msgpack */

	return core_publish(NULL, "crowd", (struct packed){ none, none + 1 }, 1);
}

static void test_a_crowd(void **state)
{
	struct type *type = add(&one_of_many);

	(void)state;
	handled = 0;
	for (int i = 0; i < CROWD; i++)
		crowd[i] = spawn(type, NULL);
	UNTIL(joined >= CROWD);
	assert_int_equal(tell_crowd(), CROWD);
	wait_handled(CROWD);
	for (int i = 0; i < CROWD; i += 2)
		assert_int_equal(actor_send(NULL, crowd[i], "go"), 0);
	UNTIL(joined <= CROWD / 2);
	assert_int_equal(tell_crowd(), CROWD / 2);
	wait_handled(CROWD / 2);
	for (int i = 0; i < CROWD; i++)
		core_stop_actor(crowd[i], 0, NULL);
	for (int i = 0; i < CROWD; i++)
		UNTIL(!core_alive(crowd[i]));
	assert_int_equal(actor_pick("crowd", PICK_TURN, NULL), 0);
	assert_int_equal(tell_crowd(), 0);
}

static int groups_setup(void **state)
{
	if (group_setup(state))
		return -1;
	member_type = add(&member_table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_hear, begin, end),
		cmocka_unit_test_setup_teardown(test_who_leaves_and_who_ends, begin, end),
		cmocka_unit_test_setup_teardown(test_core_publishes, begin, end),
		cmocka_unit_test_setup_teardown(test_one_after_the_other, begin, end),
		cmocka_unit_test_setup_teardown(test_the_idlest, begin, end),
		cmocka_unit_test_setup_teardown(test_by_key, begin, end),
		cmocka_unit_test_setup_teardown(test_at_once, begin, end),
		cmocka_unit_test(test_a_crowd),
	};

	return cmocka_run_group_tests(tests, groups_setup, group_teardown);
}
