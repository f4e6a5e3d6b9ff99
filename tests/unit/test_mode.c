/* SPDX-License-Identifier: MIT
 * test_mode.c - become and stash, against a door that is shut and opened. */
#include "running.h"

static struct type *door_type;
static actor_id door;

static int hit(actor *self, const msg *m)
{
	(void)self;
	happened(msg_int(m, 0), "open");
	return msg_reply(m, msg_int(m, 0) + 1);
}

static int shut_hit(actor *self, const msg *m)
{
	int rc = actor_stash(self, m);

	if (rc < 0)
		return msg_fail(m, "no more room before the door: %d", rc);
	return 0;
}

static int barred_hit(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "barred");
}

static int say(actor *self, const msg *m)
{
	(void)self;
	happened(0, msg_str(m, 0));
	return 0;
}

static int shut_say(actor *self, const msg *m)
{
	return actor_stash(self, m);
}

static int shut(actor *self, const msg *m)
{
	int rc = actor_become(self, msg_count(m) ? msg_str(m, 0) : "shut");

	happened(rc, "shut");
	return 0;
}

static int open_it(actor *self, const msg *m)
{
	(void)m;
	actor_become(self, NULL);
	happened(actor_unstash(self), "opened");
	return 0;
}

static int end(actor *self, const msg *m)
{
	(void)m;
	actor_become(self, NULL);
	happened(actor_unstash(self), "ends");
	actor_stop(self, actor_self(self));
	return 0;
}

static int trip(actor *self, const msg *m)
{
	(void)self, (void)m;
	return ACTOR_EFAIL;
}

static int got(actor *self, const msg *m)
{
	(void)self;
	happened(msg_error(m) ? msg_error(m) : msg_int(m, 0),
	         msg_error(m) ? msg_error_text(m) : "answer");
	return 0;
}

static int shut_got(actor *self, const msg *m)
{
	(void)self;
	happened(actor_stash(self, m), "an answer stays what it is");
	return 0;
}

static int ask(actor *self, const msg *m)
{
	return actor_ask(self, actor_find(msg_str(m, 0)), "hit", "got", 20000, msg_int(m, 1)) < 0
	               ? ACTOR_EFAIL
	               : 0;
}

static const struct actor_type door_table = {
	.name = "door",
	.on = ON({ "hit", "n:int", hit, 0 }, { "shut.hit", "n:int", shut_hit, 0 },
	         { "barred.hit", "n:int", barred_hit, 0 }, { "say", "text:str", say, 0 },
	         { "shut.say", "text:str", shut_say, 0 }, { "shut", "as:str?", shut, 0 },
	         { "open", "", open_it, 0 }, { "end", "", end, 0 }, { "trip", "", trip, 0 },
	         { "got", "...", got, 0 }, { "shut.got", "...", shut_got, 0 },
	         { "ask", "who:str n:int", ask, 0 }),
	.mailbox = { .messages = 100 },
};

static void send_to(actor_ref to, const char *what, const char *text, int n)
{
	struct buf b = { 0 };
	struct call c = { .to = to, .what = what };
	struct why why = { "" };

	if (text)
		pack_text(&b, text), c.count++;
	if (n >= 0)
		pack_int(&b, n), c.count++;
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	if (core_send(NULL, &c, &why) < 0)
		fail_msg("%s: %s", what, why.text);
	buf_fini(&b);
}

static int begin(void **state)
{
	setup(state);
	door = spawn(door_type, "door");
	return 0;
}

static int finish(void **state)
{
	(void)state;
	core_end(door);
	UNTIL(!core_alive(door));
	return 0;
}

static void test_become(void **state)
{
	(void)state;
	send_to(door, "hit", NULL, 1);
	expect_events(1);
	send_to(door, "shut", "no such", -1);
	expect_events(2);
	assert_int_equal(last, ACTOR_ENOENT);
	send_to(door, "shut", "barred", -1);
	expect_events(3);
	send_to(door, "ask", "door", 5);                /* asks itself */
	expect_events(4);
	assert_int_equal(last, ACTOR_EFAIL);
	assert_string_equal(last_text, "barred");
	send_to(door, "say", "as ever", -1);            /* no handler of its own in this mode */
	expect_events(5);
	assert_string_equal(last_text, "as ever");
	send_to(door, "open", NULL, -1);
	send_to(door, "ask", "door", 5);
	expect_events(8);
	assert_int_equal(last, 6);
}

/* They come back in their order, before what came after them, and their callers are answered. */
static void test_stash(void **state)
{
	char long_text[5000];

	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = 0;
	send_to(door, "shut", NULL, -1);
	expect_events(1);
	for (int i = 0; i < 10; i++)
		send_to(door, "hit", NULL, i);
	send_to(door, "say", "short", -1);
	send_to(door, "say", long_text, -1);
	send_to(door, "open", NULL, -1);
	send_to(door, "hit", NULL, 99);
	expect_events(1 + 1 + 12 + 1);
	assert_int_equal(last, 99);
	assert_string_equal(last_text, "open");
	send_to(door, "open", NULL, -1);
	expect_events(16);
	assert_int_equal(last, 0);                      /* none is left */
}

static void test_callers_wait(void **state)
{
	actor_id asker = spawn(door_type, "asker");

	(void)state;
	send_to(door, "shut", NULL, -1);
	expect_events(1);
	send_to(asker, "ask", "door", 41);
	UNTIL(core_drain(1));
	assert_int_equal(events, 1);
	send_to(door, "open", NULL, -1);
	expect_events(4);
	assert_int_equal(last, 42);
	core_end(asker);
}

static void test_no_more_than_a_mailbox(void **state)
{
	(void)state;
	send_to(door, "shut", NULL, -1);
	expect_events(1);
	for (int i = 0; i < 100; i++) {
		send_to(door, "hit", NULL, i);
		while (i % 50 == 0 && !core_drain(1))
			;
	}
	UNTIL(core_drain(1));
	send_to(door, "ask", "door", 5);
	UNTIL(core_drain(1));
	assert_int_equal(events, 2); /* the answer: in this mode, too, it is no stash's */
	assert_int_equal(last, ACTOR_EARGS);
	send_to(door, "open", NULL, -1);
	expect_events(3 + 100);
}

/* What is stashed, or has just been brought back, when its actor ends is a dead letter;
 * askers are told. */
static void test_the_end(void **state)
{
	struct core_totals before, now;
	actor_id asker = spawn(door_type, "asker");

	(void)state;
	UNTIL(core_drain(1));
	core_totals(&before);
	send_to(door, "shut", NULL, -1);
	for (int i = 0; i < 10; i++)
		send_to(door, "hit", NULL, i);
	send_to(asker, "ask", "door", 41);
	UNTIL(core_drain(1));
	core_end(door);
	expect_events(2);
	assert_int_equal(last, ACTOR_ENOENT);
	UNTIL(!core_alive(door));        /* its name is free after that */
	core_totals(&now);
	assert_int_equal(now.dead_letters - before.dead_letters, 11);
	door = spawn(door_type, "door");
	send_to(door, "shut", NULL, -1);
	for (int i = 0; i < 10; i++)
		send_to(door, "hit", NULL, i);
	send_to(door, "end", NULL, -1);
	expect_events(4);
	assert_int_equal(last, 10);
	UNTIL(!core_alive(door));
	core_end(asker);
	UNTIL(!core_alive(asker));
	do      /* some are dropped after its generation has ended */
		core_totals(&now);
	while (now.dead_letters - before.dead_letters < 21);
	assert_int_equal(now.dead_letters - before.dead_letters, 21);
	assert_int_equal(now.sent - before.sent,
	                 now.handled - before.handled + now.dead_letters - before.dead_letters);
}

/* Who begins again is as at first; what it had kept is in the dead letters. */
static void test_a_restart(void **state)
{
	struct core_totals before, now;

	(void)state;
	send_to(door, "shut", NULL, -1);
	for (int i = 0; i < 5; i++)
		send_to(door, "hit", NULL, i);
	expect_events(1);
	UNTIL(core_drain(1));
	core_totals(&before);
	send_to(door, "trip", NULL, -1);
	send_to(actor_find("door"), "hit", NULL, 9);
	expect_events(2);
	assert_string_equal(last_text, "open");
	assert_int_equal(last, 9);
	core_totals(&now);
	assert_int_equal(now.dead_letters - before.dead_letters, 6);
	send_to(actor_find("door"), "end", NULL, -1);
	UNTIL(!core_alive(actor_find("door")));
}

static int mode_setup(void **state)
{
	if (group_setup(state))
		return -1;
	door_type = add(&door_table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_become, begin, finish),
		cmocka_unit_test_setup_teardown(test_stash, begin, finish),
		cmocka_unit_test_setup_teardown(test_callers_wait, begin, finish),
		cmocka_unit_test_setup_teardown(test_no_more_than_a_mailbox, begin, finish),
		cmocka_unit_test_setup_teardown(test_the_end, begin, finish),
		cmocka_unit_test_setup_teardown(test_a_restart, begin, finish),
	};

	return cmocka_run_group_tests(tests, mode_setup, group_teardown);
}
