/* SPDX-License-Identifier: MIT
 * test_core.c - actors in a running pool: sends, answers, asks, timers, names, patches, limits. */
#include "running.h"

/* The clock, which the test sets ahead where something is to be late. */
static _Atomic int64_t ahead_ns;
static struct clock_port real;

static int64_t ahead(void *arg)
{
	return real.mono_ns(arg) + ahead_ns;
}

/* --- an actor of many kinds ---------- */

struct kit { int64_t total; msg_caller kept; actor_ref peer; };

static int hit(actor *self, const msg *m)
{
	struct kit *k = actor_state(self);

	k->total += msg_int(m, 0);
	return msg_reply(m, k->total);
}

static int tell(actor *self, const msg *m)
{
	(void)self;
	happened(msg_int(m, 0), msg_str(m, 1));
	return 0;
}

static int refuse(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "no seat for %s", msg_str(m, 0));
}

static int got(actor *self, const msg *m)
{
	(void)self;
	if (msg_error(m))
		happened(msg_error(m), msg_error_text(m));
	else
		happened(msg_int(m, 0), "answer");
	return 0;
}

static int ask_hit(actor *self, const msg *m)
{
	return actor_ask(self, actor_find(msg_str(m, 0)), "hit", "got", 20000, msg_int(m, 1)) < 0
		? got(self, m) : 0;
}

static int ask_bad(actor *self, const msg *m)
{
	return actor_ask(self, actor_find(msg_str(m, 0)), msg_str(m, 1), "got", 20000, "Eve") < 0
		? (happened(-99, "refused"), 0) : 0;
}

static int keep(actor *self, const msg *m)
{
	((struct kit *)actor_state(self))->kept = msg_defer(m);
	happened(0, "kept");
	return 0;
}

static int let_go(actor *self, const msg *m)
{
	struct kit *k = actor_state(self);

	(void)m;
	return actor_answer(self, k->kept, 77);
}

static int later(actor *self, const msg *m)
{
	if (actor_after(self, 20, "tell", 1, "first") < 0 ||
	    actor_after(self, 20, "tell", 2, "second") < 0)
		return ACTOR_EFAIL;
	return actor_cancel(self, actor_after(self, 1, "tell", msg_int(m, 0), "never"));
}

static int convert(actor *self, const msg *m)
{
	char text[64];

	(void)self;
	snprintf(text, sizeof text, "%g %lld %s %d", msg_num(m, 0), (long long)msg_int(m, 1),
		 msg_str(m, 2), msg_count(m));
	happened(0, text);
	return 0;
}

static int lists(actor *self, const msg *m)
{
	struct msg_items in = msg_items(m, 0);
	struct msg_item item;
	int64_t sum = 0;
	msg_out *o = msg_values(self);

	while (msg_next(&in, &item))
		sum += item.i;
	out_list(o, 2);
	out_int(o, sum);
	out_value(o, m, 0);
	return msg_reply_out(m, o);
}

static int got_list(actor *self, const msg *m)
{
	struct msg_items in = msg_items(m, 0);
	struct msg_item sum, all;

	(void)self;
	happened(msg_next(&in, &sum) && msg_next(&in, &all) ? sum.i * 10 + (int64_t)all.len : -1,
		 "list");
	return 0;
}

static int ask_list(actor *self, const msg *m)
{
	msg_out *o = msg_values(self);

	(void)m;
	out_list(o, 3);
	out_int(o, 1);
	out_int(o, 2);
	out_int(o, 4);
	return actor_ask_out(self, actor_find("kit"), "lists", "got_list", 20000, o) < 0
		       ? ACTOR_EFAIL
		       : 0;
}

static int started(actor *self)
{
	(void)self;
	return 0;
}

static int finish(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, actor_self(self));
	return 0;
}

static int pass_on(actor *self, const msg *m)
{
	(void)self;
	return msg_forward(m, actor_find("kit"), "hit");
}

static const struct actor_type kit_actor = {
	.name = "kit", .state = sizeof(struct kit), .start = started,
	.on = ON({ "hit", "by:int", hit, ON_CLIENT }, { "tell", "n:int text:str", tell, 0 },
	{ "refuse", "who:str", refuse, 0 }, { "got", "...", got, 0 },
		{ "ask_hit", "who:str by:int", ask_hit, 0 },
	{ "ask_bad", "who:str what:str", ask_bad, 0 }, { "keep", "", keep, 0 },
		{ "let_go", "", let_go, 0 },
	{ "later", "n:int", later, 0 }, { "convert", "n:num i:int s:str? ...", convert, 0 },
	{ "lists", "l:list", lists, 0 }, { "got_list", "l:list", got_list, 0 },
		{ "ask_list", "", ask_list, 0 },
	{ "finish", "", finish, 0 }, { "pass_on", "by:int", pass_on, 0 }),
};

static struct type *kit_type(void)
{
	static struct type *type;

	if (!type)
		type = add(&kit_actor);
	return type;
}

static actor_ref kit(const char *name)
{
	if (!core_alive(actor_find(name)))
		spawn(kit_type(), name);
	return actor_find(name);
}

/* --- tests ---------- */

static void test_send_and_values(void **state)
{
	actor_ref k = kit("kit");

	(void)state;
	assert_int_equal(actor_send(NULL, k, "tell", 5, "hello"), 0);
	expect_events(1);
	assert_int_equal(last, 5);
	assert_string_equal(last_text, "hello");
	/* An int becomes a num, an integral num an int; absent and further values. */
	assert_int_equal(actor_send(NULL, k, "convert", 3, 4.0), 0);
	expect_events(2);
	assert_string_equal(last_text, "3 4  2");
	assert_int_equal(actor_send(NULL, k, "convert", 2.5, 7, "x", 1, 2, 3), 0);
	expect_events(3);
	assert_string_equal(last_text, "2.5 7 x 6");
}

static void test_refused_at_the_call(void **state)
{
	actor_ref k = kit("kit");
	char name[10002];

	(void)state;
	assert_int_equal(actor_send(NULL, k, "tell", 5.5, "x"), ACTOR_EARGS);
	assert_non_null(strstr(actor_why(NULL), "kit.tell: argument 1"));
	assert_int_equal(actor_send(NULL, k, "tell", 5), ACTOR_EARGS);
	assert_int_equal(actor_send(NULL, k, "tell", 5, "x", 1), ACTOR_EARGS);
	assert_int_equal(actor_send(NULL, k, "nothing", 5), ACTOR_ENOENT);
	assert_non_null(strstr(actor_why(NULL), "kit has no handler nothing"));
	assert_int_equal(actor_send(NULL, actor_find("nobody"), "hit", 5), ACTOR_ENOENT);
	assert_string_equal(actor_why(NULL), "there is no actor named nobody here");
	assert_int_equal(actor_send(NULL, actor_find("list:far"), "hit", 5), ACTOR_ENOENT);
	assert_int_equal(actor_send(NULL, 0, "hit", 5), ACTOR_ENOENT);
	assert_int_equal(actor_send(NULL, 0x7fffffffffffffff, "hit", 5), ACTOR_ENOENT);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_int_equal(actor_find(name), 0);
}

static void test_why_names_the_argument(void **state)
{
	struct buf args = { 0 };
	struct call c = { .to = kit("kit"), .what = "hit", .count = 1 };
	struct why why;

	(void)state;
	pack_text(&args, "five");
	c.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	assert_int_equal(core_send(NULL, &c, &why), ACTOR_EARGS);
	assert_string_equal(why.text, "kit.hit: argument 1 (by) wants int, got str");
	c.what = "hitt";
	assert_int_equal(core_send(NULL, &c, &why), ACTOR_ENOENT);
	assert_non_null(strstr(why.text, "kit has no handler hitt (it has: hit, tell"));
	c.what = "tell";
	c.client = true;
	assert_int_equal(core_send(NULL, &c, &why), ACTOR_ENOENT);
	assert_non_null(strstr(why.text, "that clients may call"));
	buf_fini(&args);
}

static void test_asks(void **state)
{
	actor_ref a = kit("asker");

	(void)state;
	kit("kit2");
	assert_int_equal(actor_send(NULL, a, "ask_hit", "kit2", 5), 0);
	expect_events(1);
	assert_int_equal(last, 5);
	assert_int_equal(actor_send(NULL, a, "ask_hit", "asker", 8), 0);        /* itself */
	expect_events(2);
	assert_int_equal(last, 8);
	assert_int_equal(actor_send(NULL, a, "ask_bad", "kit2", "refuse"), 0);
	expect_events(3);
	assert_int_equal(last, ACTOR_EFAIL);
	assert_string_equal(last_text, "no seat for Eve");
	assert_int_equal(actor_send(NULL, a, "ask_bad", "nobody", "refuse"), 0);
	expect_events(4);
	assert_string_equal(last_text, "refused");
	assert_int_equal(actor_send(NULL, a, "ask_list"), 0);
	expect_events(5);
	assert_int_equal(last, 73);
}

static int ask_keeper(actor *self, const msg *m)
{
	(void)m;
	return actor_ask(self, actor_find("keeper"), "keep", "got", 10000) < 0 ? ACTOR_EFAIL : 0;
}

static int ask_silent(actor *self, const msg *m)
{
	(void)m;
	return actor_ask(self, actor_find("keeper"), "keep", "got", 60000) < 0 ? ACTOR_EFAIL : 0;
}

static const struct actor_type waiter = {
	.name = "waiter",
	.on = ON({ "go", "", ask_keeper, 0 }, { "got", "...", got, 0 },
		{ "silent", "", ask_silent, 0 }),
};

static void test_kept_callers(void **state)
{
	actor_ref keeper = kit("keeper"), w;

	(void)state;
	spawn(add(&waiter), "waiter");
	w = actor_find("waiter");
	actor_send(NULL, w, "silent");                  /* nobody answers: an error in its stead */
	expect_events(1);
	ahead_ns += 60000000000;
	expect_events(2);
	assert_int_equal(last, ACTOR_ETIME);
	assert_string_equal(last_text, "no answer within 60000 ms");
	assert_int_equal(actor_send(NULL, w, "go"), 0);
	expect_events(3);
	actor_send(NULL, keeper, "let_go");
	expect_events(4);
	assert_int_equal(last, 77);
	actor_send(NULL, w, "go");                      /* who kept it ends: told at once */
	expect_events(5);
	actor_send(NULL, keeper, "finish");
	expect_events(6);
	assert_int_equal(last, ACTOR_ENOENT);
	assert_string_equal(last_text, "keeper has ended");
}

static void test_timers(void **state)
{
	(void)state;
	assert_int_equal(actor_send(NULL, kit("kit"), "later", 3), 0);
	expect_events(2);
	assert_string_equal(last_text, "second");
}

static void test_name_follows_restart(void **state)
{
	actor_ref ref = kit("phoenix");
	struct actor_info before, after;

	(void)state;
	assert_int_equal(core_inspect(ref, &before), 0);
	actor_send(NULL, ref, "finish");
	UNTIL(!core_alive(ref));
	assert_int_equal(actor_send(NULL, ref, "tell", 1, "lost"), ACTOR_ENOENT);
	spawn(kit_type(), "phoenix");
	assert_int_equal(actor_send(NULL, ref, "tell", 1, "again"), 0);
	expect_events(1);
	assert_string_equal(last_text, "again");
	assert_int_equal(core_inspect(ref, &after), 0);
	assert_int_not_equal(before.id, after.id);
	assert_int_equal(actor_send(NULL, before.id, "tell", 1, "old"), ACTOR_ENOENT);
}

static void test_name_taken(void **state)
{
	struct spawn s = { .type = kit_type(), .name = "kit" };
	struct why why;
	actor_id id;

	(void)state;
	kit("kit");
	assert_int_equal(core_spawn(&s, &id, &why), ACTOR_EFAIL);
	assert_string_equal(why.text, "there is an actor named kit already");
	s.name = "list:x";
	assert_int_equal(core_spawn(&s, &id, &why), ACTOR_EARGS);
}

/* --- patches ---------- */

static int hit_double(actor *self, const msg *m)
{
	struct kit *k = actor_state(self);

	k->total += 2 * msg_int(m, 0);
	return msg_reply(m, k->total);
}

static int freed;

static void note_freed(void *arg)
{
	(void)arg;
	freed++;
}

static void test_change(void **state)
{
	actor_ref a = kit("asker");
	struct code *code = code_new(note_freed, NULL);
	struct change c = { .type = kit_type(), .on = ON({ "hit", "other:int", hit_double, 0 }) };
	struct change wrong = { .type = kit_type(), .on = ON({ "hit", "by:str", hit_double, 0 }) };
	struct change more = { .type = kit_type(), .on = ON({ "hot", "by:int", hit_double, 0 }) };
	struct change back = { .type = kit_type(), .on = ON({ "hit", "by:int", hit, 0 },
		{ "hot", "by:int", hit, 0 }) };
	struct handler_info info;
	struct why why;

	(void)state;
	kit("patched");
	assert_int_equal(core_change(&wrong, 1, 1, code, false, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "kit.hit takes (by:int), the new one would take"));
	assert_int_equal(core_change(&c, 1, 1, code, true, &why), 0);
	actor_send(NULL, a, "ask_hit", "patched", 10);
	expect_events(1);
	assert_int_equal(last, 10);                     /* checked only */
	assert_int_equal(core_change(&c, 1, 1, code, false, &why), 0);
	actor_send(NULL, a, "ask_hit", "patched", 10);
	expect_events(2);
	assert_int_equal(last, 30);
	assert_int_equal(core_change(&more, 1, 2, code, false, &why), 0);
	assert_int_equal(core_handler(a, "hot", &info), 0);
	assert_int_equal(info.version, 2);
	assert_int_equal(actor_send(NULL, a, "hot", 4), 0);
	code_drop(code);
	assert_int_equal(freed, 0);                     /* the table holds it */
	assert_int_equal(core_change(&back, 1, 3, NULL, false, &why), 0);
	while (!freed)
		core_grace();
	assert_int_equal(freed, 1);
}

/* --- many at once ---------- */

enum { PAIRS = 50, ROUNDS = 2000 };

static int pong(actor *self, const msg *m)
{
	return actor_send(self, msg_from(m), "back", msg_int(m, 0));
}

static int back(actor *self, const msg *m)
{
	struct kit *k = actor_state(self);

	if (msg_int(m, 0) == 0) {
		happened(0, "done");
		return 0;
	}
	return actor_send(self, k->peer, "ping", msg_int(m, 0) - 1);
}

static int begin(actor *self, const msg *m)
{
	struct kit *k = actor_state(self);

	k->peer = (actor_ref)msg_int(m, 0);
	return actor_send(self, k->peer, "ping", ROUNDS);
}

static const struct actor_type pair = {
	.name = "pair", .state = sizeof(struct kit),
	.on = ON({ "ping", "n:int", pong, 0 }, { "back", "n:int", back, 0 },
		{ "begin", "peer:int", begin, 0 }),
};

static void test_pairs(void **state)
{
	struct type *type = add(&pair);

	(void)state;
	for (int i = 0; i < PAIRS; i++)
		actor_send(NULL, spawn(type, NULL), "begin", (int64_t)spawn(type, NULL));
	expect_events(PAIRS);
}

static int churn(actor *self, const msg *m)
{
	happened(msg_int(m, 0), "churned");
	actor_stop(self, actor_self(self));
	return 0;
}

static const struct actor_type churner = {
	.name = "churn", .state = 200, .on = ON({ "go", "n:int", churn, 0 }),
};

static void test_churn(void **state)
{
	struct type *type = add(&churner);
	struct core_totals before, after;

	(void)state;
	core_totals(&before);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(actor_send(NULL, spawn(type, NULL), "go", i), 0);
	expect_events(20000);
	do
		core_totals(&after);
	while (after.actors > before.actors);  /* some of before may have been ending */
}

static void test_forward(void **state)
{
	struct actor_info i;

	(void)state;
	kit("kit");
	kit("forwarder");
	core_inspect(actor_find("kit"), &i);
	assert_int_equal(actor_send(NULL, actor_find("forwarder"), "pass_on", 1), 0);
	assert_int_equal(actor_send(NULL, kit("asker"), "ask_hit", "forwarder", 1), 0);
	expect_events(1);
}

static int routed(actor *self, const msg *m)
{
	(void)self;
	happened(msg_count(m), msg_str(m, 1));
	return 0;
}

static const struct actor_type stand_in = {
	.name = "stand_in", .on = ON({ "routed", "to:str what:str ...", routed, 0 }) };

/* What a proxy sent, of which it is not said who said it, leads to nobody: that is no success. */
static void test_by_name_alone(void **state)
{
	const struct type_options o = { .proxy = true, .by_name = true };
	struct why why;
	actor_id id = spawn(core_add_type(&stand_in, &o, NULL, &why), "stand_in");

	(void)state;
	assert_int_equal(actor_send(NULL, actor_find("stand_in"), "hit", 5), 0);
	expect_events(1);
	assert_string_equal(last_text, "hit");
	assert_int_equal(actor_send(NULL, id, "hit", 5), ACTOR_ENOENT);
	assert_non_null(strstr(actor_why(NULL), "has no reference here"));
	expect_events(1);
}

static int all_setup(void **state)
{
	real = ports.clock;
	ports.clock.mono_ns = ahead;
	return group_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_send_and_values, setup),
		cmocka_unit_test_setup(test_refused_at_the_call, setup),
		cmocka_unit_test_setup(test_why_names_the_argument, setup),
		cmocka_unit_test_setup(test_asks, setup),
		cmocka_unit_test_setup(test_kept_callers, setup),
		cmocka_unit_test_setup(test_timers, setup),
		cmocka_unit_test_setup(test_name_follows_restart, setup),
		cmocka_unit_test_setup(test_name_taken, setup),
		cmocka_unit_test_setup(test_pairs, setup),
		cmocka_unit_test_setup(test_churn, setup),
		cmocka_unit_test_setup(test_forward, setup),
		cmocka_unit_test_setup(test_by_name_alone, setup),
		cmocka_unit_test_setup(test_change, setup),
	};

	return cmocka_run_group_tests(tests, all_setup, group_teardown);
}
