/* SPDX-License-Identifier: MIT
 * test_mailbox.c - bounds: refused, held, dropped; and the lane that overtakes. */
#include "running.h"

static int tell(actor *self, const msg *m)
{
	(void)self;
	happened(msg_int(m, 0), msg_str(m, 1));
	return 0;
}

/* --- a full mailbox: the receiver is held in a handler until the test lets it go ---------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int block(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	happened(1, "in");
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

static int count(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	happened(2, "counted");
	return 0;
}

static const struct actor_type small = {
	.name = "small", .on = ON({ "block", "", block, 0 }, { "count", "text:str?", count, 0 }),
};

static pthread_t asker;
static int asked;

static bool count_asked(void)
{
	asked += pthread_equal(pthread_self(), asker) != 0;
	return false;
}

/* What is refused is not made before: no memory is asked for, however large it would be. */
static void expect_cheap_refusal(actor_id id, const char *text)
{
	asker = pthread_self();
	asked = 0;
	mem_refuse = count_asked;
	assert_int_equal(actor_send(NULL, id, "count", text), ACTOR_EFULL);
	mem_refuse = NULL;
	assert_int_equal(asked, 0);
}

static void test_bounded_mailbox(void **state)
{
	struct type_options o = { .max_count = 8, .max_bytes = 4096 };
	struct why why;
	struct type *type = core_add_type(&small, &o, NULL, &why);
	actor_id id = spawn(type, NULL);
	static char big[100000];
	int sent = 0;

	(void)state;
	pthread_mutex_lock(&gate);
	actor_send(NULL, id, "block");
	expect_events(1);
	assert_int_equal(actor_send(NULL, actor_find("nobody"), "count"), ACTOR_ENOENT);
	while (actor_send(NULL, id, "count") == 0)
		sent++;
	assert_int_equal(actor_send(NULL, id, "count"), ACTOR_EFULL);
	assert_string_equal(actor_why(NULL), "the mailbox of small is full: try again later");
	assert_int_equal(sent, 7);                      /* the one being handled counts */
	memset(big, 'x', sizeof big - 1);
	expect_cheap_refusal(id, big);
	pthread_mutex_unlock(&gate);
	expect_events(1 + sent);
	/* one message may be larger than all the room */
	while (({ struct actor_info i; core_inspect(id, &i); strcmp(i.state, "idle"); }))
		sched_yield();
	assert_int_equal(actor_send(NULL, id, "count", big), 0);
	expect_events(2 + sent);
}

/* --- senders that wait, messages that are dropped ---------- */

static int64_t taken, out_of_order, got_last;

static int slow_take(actor *self, const msg *m)
{
	int64_t n = msg_int(m, 0);

	(void)self;
	if (msg_int(m, 1) == 0 && n != got_last + 1)
		out_of_order++;
	if (msg_int(m, 1) == 0)
		got_last = n;
	if (++taken % 1000 == 0)
		happened(taken, "taken");
	return 0;
}

static const struct actor_type holder = {
	.name = "holder", .mailbox = { .messages = 16, .full = FULL_HOLD },
	.on = ON({ "take", "n:int who:int", slow_take, 0 }, { "block", "", block, 0 }),
};

struct pourer { int64_t at, end, who; actor_ref to; };

static int pour(actor *self, const msg *m)
{
	struct pourer *p = actor_state(self);

	if (msg_count(m)) {
		p->to = (actor_ref)msg_int(m, 0);
		p->who = msg_int(m, 1);
		p->end = msg_int(m, 2);
	}
	for (int i = 0; i < 5 && p->at < p->end; i++)
		if (actor_send(self, p->to, "take", ++p->at, p->who) < 0)
			happened(-1, "refused");
	return p->at < p->end ? actor_send(self, actor_self(self), "pour") : 0;
}

static const struct actor_type pourer = {
	.name = "pourer", .state = sizeof(struct pourer),
	.on = ON({ "pour", "to:int? who:int? n:int?", pour, 0 }),
};

static void test_hold(void **state)
{
	enum { WHO = 8, EACH = 5000 };
	actor_id to = spawn(add(&holder), NULL);
	struct type *type = add(&pourer);
	struct actor_info info;
	actor_id first;

	(void)state;
	pthread_mutex_lock(&gate);
	actor_send(NULL, to, "block");
	expect_events(1);
	first = spawn(type, NULL);
	actor_send(NULL, first, "pour", (int64_t)to, 0, EACH);
	do
		core_inspect(first, &info);
	while (strcmp(info.state, "held"));
	for (int i = 1; i < WHO; i++)
		actor_send(NULL, spawn(type, NULL), "pour", (int64_t)to, i, EACH);
	core_inspect(to, &info);
	assert_in_range(info.depth, 1, 16);
	pthread_mutex_unlock(&gate);
	/* every message came, of each sender in order */
	expect_events(1 + WHO * EACH / 1000);
	assert_int_equal(out_of_order, 0);
}

/* One that is held is told to stop, while there is no room still. */
static void test_a_held_one_stops(void **state)
{
	actor_id to = spawn(core_type("holder"), NULL), held[3];
	struct core_totals t;
	struct actor_info info;

	(void)state;
	pthread_mutex_lock(&gate);
	actor_send(NULL, to, "block");
	expect_events(1);
	for (int i = 0; i < 3; i++) {
		held[i] = spawn(core_type("pourer"), NULL);
		actor_send(NULL, held[i], "pour", (int64_t)to, 1, 100);
		do
			core_inspect(held[i], &info);
		while (strcmp(info.state, "held"));
	}
	/* In the middle of who waits, the last, the only one. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(core_stop_actor(held[(i + 1) % 3], 0, NULL), 0);
		UNTIL(!core_alive(held[(i + 1) % 3]));
	}
	pthread_mutex_unlock(&gate);
	do              /* until what they had sent has come, as all before it */
		core_totals(&t);
	while (t.sent != t.handled + t.dead_letters);
}

/* Two that would wait for each other: one of them is refused instead. */
static _Atomic int refused;

static int flood(actor *self, const msg *m)
{
	actor_ref to = (actor_ref)msg_int(m, 0);

	for (int i = 0; i < 12; i++)
		if (actor_send(self, to, "drop") == ACTOR_EFULL)
			refused++;
	/* By a timer: its own mailbox may be full of the others' messages. */
	if (msg_int(m, 1))
		return (int)actor_after(self, 0, "flood", msg_int(m, 0), msg_int(m, 1) - 1) < 0;
	happened(0, "flooded");
	return 0;
}

static int nothing(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	return 0;
}

static const struct actor_type rivals = {
	.name = "rival", .mailbox = { .messages = 8, .full = FULL_HOLD },
	.on = ON({ "flood", "to:int left:int", flood, 0 }, { "drop", "", nothing, 0 }),
};

static void test_no_circle_of_waiting(void **state)
{
	struct type *type = add(&rivals);
	actor_id a[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		a[i] = spawn(type, NULL);
	for (int i = 0; i < 3; i++)     /* those before may have filled it already */
		while (actor_send(NULL, a[i], "flood", (int64_t)a[(i + 1) % 3], 200) == ACTOR_EFULL)
			sched_yield();
	expect_events(3);
}

static const struct actor_type dropper = {
	.name = "dropper", .mailbox = { .messages = 8, .full = FULL_DROP_OLDEST },
	.on = ON({ "block", "", block, 0 }, { "tell", "n:int text:str", tell, 0 }),
};

static const struct actor_type newest = {
	.name = "newest", .mailbox = { .messages = 8, .full = FULL_DROP_NEWEST },
	.on = ON({ "block", "", block, 0 }, { "tell", "n:int text:str", tell, 0 }),
};

static void drops(const struct actor_type *t, int sent, int expected, int last_seen)
{
	actor_id id = spawn(add(t), NULL);
	int64_t before = events;

	pthread_mutex_lock(&gate);
	actor_send(NULL, id, "block");
	expect_events(before + 1);
	for (int i = 1; i <= sent; i++)
		assert_int_equal(actor_send(NULL, id, "tell", i, ""), 0);
	pthread_mutex_unlock(&gate);
	expect_events(before + 1 + expected);
	assert_int_equal(last, last_seen);
}

static void test_drops(void **state)
{
	(void)state;
	drops(&newest, 10, 7, 7);
	drops(&dropper, 12, 8, 12);
}

static const struct actor_type controlled = {
	.name = "controlled", .on = ON({ "tell", "n:int text:str", tell, 0 }),
};

/* Stop overtakes what waits. */
static void test_control_lane(void **state)
{
	actor_id id = spawn(add(&controlled), "controlled");

	(void)state;
	pthread_mutex_lock(&lock);                      /* holds it in its first tell */
	for (int i = 0; i < 500; i++)
		actor_send(NULL, id, "tell", i, "x");
	core_end(id);
	pthread_mutex_unlock(&lock);
	UNTIL(!core_alive(id));
	assert_true(events < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bounded_mailbox, setup),
		cmocka_unit_test_setup(test_hold, setup),
		cmocka_unit_test_setup(test_a_held_one_stops, setup),
		cmocka_unit_test_setup(test_no_circle_of_waiting, setup),
		cmocka_unit_test_setup(test_drops, setup),
		cmocka_unit_test_setup(test_control_lane, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
