/* SPDX-License-Identifier: MIT
 * test_session.c - sessions over the real core; this thread is their home, the port writes down. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../runtime/gateway/keeper.h"
#include "../../runtime/gateway/users.h"
#include "registry.h"

/* --- the client's side: what the port was told -------------------------------------------- */

struct client {
	struct session *session;
	struct buf got;                 /* text frames, a newline after each */
	int frames, code, refused;
	const char *barred;
	bool text;
	char reason[128];
};

static void port_send(void *conn, const void *bytes, size_t len, bool text)
{
	struct client *c = conn;

	assert_int_equal(c->code, 0);
	buf_add(&c->got, bytes, len);
	buf_text(&c->got, "\n");
	c->frames++;
	c->text = text;
}

static void port_close(void *conn, int code, const char *reason)
{
	struct client *c = conn;

	c->code = code;
	snprintf(c->reason, sizeof c->reason, "%s", reason);
}

static const char *port_barred(void *conn)
{
	return ((struct client *)conn)->barred;
}

static void port_refused(void *conn)
{
	((struct client *)conn)->refused++;
}

static const struct frames_port port = { port_send, port_close, port_barred, port_refused };

/* --- the home ----------------------------------------------------------------------------- */

static struct home *home;
static struct sessions *here;
static sem_t woken;

static void wake(void *arg)
{
	(void)arg;
	sem_post(&woken);
}

/* For something to do; timers are turned here too. */
static void wait_woken(void)
{
	int64_t end = now_ns() + INT64_C(20000000000), next;
	struct timespec until;

	do {
		assert_true(now_ns() < end);            /* nothing came for 20 s */
		core_run_timers();
		next = core_next_timer();
		next = (next < end ? next : end) - now_ns() + wall_ms() * 1000000;
		until = (struct timespec){ next / 1000000000, next % 1000000000 };
	} while (sem_timedwait(&woken, &until));
}

static void turn(void)
{
	while (home_run(home))
		;
	sessions_retry(here);
}

static void await(struct client *c, int frames)
{
	for (turn(); c->frames < frames; turn())
		wait_woken();
	assert_int_equal(c->frames, frames);
}

static void say(struct client *c, const char *text)
{
	session_frame(c->session, text, strlen(text));
}

static void expect_part(struct client *c, const char *text)
{
	buf_add(&c->got, "", 1);
	if (!strstr(c->got.p, text))
		fail_msg("no %s in %s", text, c->got.p);
	c->got.len--;
}

static void expect(struct client *c, const char *text)
{
	buf_add(&c->got, "", 1);
	assert_string_equal(c->got.p, text);
	buf_clear(&c->got);
	c->frames = 0;
}

static void open_client(struct client *c, bool login)
{
	*c = (struct client){ 0 };
	c->session = session_new(here, c, false);
	assert_non_null(c->session);
	if (!login)
		return;
	say(c, "{\"func\":\"login\",\"args\":[\"me\",\"hash\"]}");
	await(c, 1);
	expect(c, "{\"func\":\"loginback\",\"args\":[0]}\n");
}

static void close_client(struct client *c)
{
	session_gone(c->session);
	turn();
	buf_fini(&c->got);
}

static unsigned waiting(void)
{
	struct session_info i = { 0 };

	sessions_count(here, &i);
	return i.waiting;
}

/* --- the actors --------------------------------------------------------------------------- */

static sem_t gate;
static actor_ref listener;

static int join(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_str(m, 0));
}

static int pass(actor *self, const msg *m)      /* one at a time, as the test lets them */
{
	(void)self;
	while (sem_wait(&gate))
		;
	return msg_reply(m, msg_int(m, 0));
}

static int keep(actor *self, const msg *m)
{
	(void)self;
	msg_defer(m);
	return 0;
}

static int subscribe(actor *self, const msg *m)
{
	(void)self;
	listener = msg_from(m);
	return 0;
}

static int publish(actor *self, const msg *m)
{
	return actor_send(self, listener, "news", msg_str(m, 0), 7);
}

static int hidden(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	return 0;
}

static const struct actor_type actor_type = {
	.name = "actor",
	.on = ON({ "join", "text:str", join, ON_CLIENT }, { "pass", "n:int", pass, ON_CLIENT },
	         { "keep", "", keep, ON_CLIENT }, { "subscribe", "", subscribe, ON_CLIENT },
	         { "publish", "text:str", publish, ON_CLIENT }, { "hidden", "", hidden, 0 }),
};

static const struct actor_type global_type = {
	.name = "",
	.on = ON({ "join", "text:str", join, ON_CLIENT }),
};

/* Holds a user named "slow" until the gate lets it go, knows "x" as "alias", and is no more where
 * "late" comes. */
static int login(actor *self, const msg *m)
{
	(void)self;
	if (!strcmp(msg_str(m, 0), "slow"))
		while (sem_wait(&gate))
			;
	if (!strcmp(msg_str(m, 0), "late"))
		return msg_fail_as(m, ACTOR_ENOENT, "it has ended");
	if (!strcmp(msg_str(m, 1), "wrong"))
		return msg_fail(m, "no such user, or a wrong password");
	return strcmp(msg_str(m, 0), "x") ? 0 : msg_reply(m, "alias");
}

static const struct actor_type login_type = {
	.name = "login",
	.on = ON({ "login", "user:str proof:str", login, 0 }),
};

static void spawn(struct type *t, const char *name)
{
	struct spawn s = { .type = t, .name = name };
	struct why why = { "" };
	actor_id id;

	if (!t || core_spawn(&s, &id, &why))
		fail_msg("%s: %s", name, why.text);
}

static int setup(void **state)
{
	struct core_config config = { .workers = 2 };
	struct type_options small = { .max_count = 4 };
	struct why why = { "" };
	struct type *t;

	(void)state;
	sem_init(&woken, 0, 0);
	sem_init(&gate, 0, 0);
	if (core_start(&config, &why))
		return -1;
	home = home_new("test", wake, NULL);
	home_enter(home);
	t = core_add_type(&actor_type, &small, NULL, &why);
	for (const char *const *name = (const char *const[]){ "a", "b", "c", NULL }; *name; name++)
		spawn(t, *name);
	spawn(core_add_type(&global_type, &small, NULL, &why), "");
	spawn(core_add_type(&login_type, &small, NULL, &why), "login");
	here = sessions_new(home);
	return session_setup(&(struct session_config){ &port, "login", SAME_BOTH }, &why) ||
	       keeper_setup(&why) || keeper_new(here, &why);
}

static int teardown(void **state)
{
	(void)state;
	home_leave(home);
	core_stop(5000);
	home_free(home);
	sessions_free(here);
	return 0;
}

/* --- the tests ---------------------------------------------------------------------------- */

static void login_comes_first(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, false);
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\",\"id\":7}");
	expect(&c, "{\"func\":\"f\",\"args\":[],\"id\":7,\"err\":{\"code\":-5,\"text\":"
	       "\"log in first: {\\\"func\\\":\\\"login\\\",\\\"args\\\":[GUID,HASH]}\"}}\n");
	assert_int_equal(c.code, 1008);
	say(&c, "{\"func\":\"login\",\"args\":[\"me\",\"hash\"]}");     /* too late */
	assert_int_equal(c.frames, 0);
	close_client(&c);
}

static void login_that_does_not_fit(void **state)
{
	static const char *const args[] = { "[]", "[\"\",\"h\"]", "[1,2]", "[\"g\"]" };
	struct client c;
	char text[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		open_client(&c, false);
		snprintf(text, sizeof text, "{\"func\":\"login\",\"args\":%s,\"id\":\"x\"}",
		         args[i]);
		say(&c, text);
		expect(&c, "{\"func\":\"loginback\",\"args\":[1],\"id\":\"x\"}\n");
		assert_int_equal(c.code, 1008);
		close_client(&c);
	}
}

static void login_is_asked_for(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, false);
	say(&c, "{\"func\":\"login\",\"args\":[\"me\",\"wrong\"],\"id\":5}");
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	await(&c, 1);
	expect(&c, "{\"func\":\"loginback\",\"args\":[1],\"id\":5}\n");
	assert_int_equal(c.code, 1008);
	assert_string_equal(c.reason, "no such user, or a wrong password");
	assert_int_equal(waiting(), 0);
	close_client(&c);
}

/* The port counts refusals, and says who may not try. */
static void a_barred_address_is_not_asked_about(void **state)
{
	struct client c, gone;

	(void)state;
	open_client(&c, false);
	say(&c, "{\"func\":\"login\",\"args\":[\"me\",\"wrong\"]}");
	await(&c, 1);
	assert_int_equal(c.refused, 1);
	close_client(&c);
	open_client(&gone, false);
	say(&gone, "{\"func\":\"login\",\"args\":[\"slow\",\"\"]}");
	close_client(&gone);                    /* that it left before it knew is no way around */
	assert_int_equal(gone.refused, 1);
	sem_post(&gate);
	open_client(&c, false);
	c.barred = "not from there";
	say(&c, "{\"func\":\"login\",\"args\":[\"me\",\"hash\"]}");
	expect(&c, "");                         /* to clients a refusal would be final */
	assert_int_equal(c.code, CLOSE_LATER);
	assert_string_equal(c.reason, "not from there");
	assert_int_equal(c.refused, 0);
	close_client(&c);
}

static void who_could_not_be_asked_about_has_not_guessed(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, false);
	say(&c, "{\"func\":\"login\",\"args\":[\"late\",\"hash\"]}");
	for (turn(); !c.code; turn())
		wait_woken();
	expect(&c, "");
	assert_int_equal(c.code, CLOSE_LATER);
	assert_int_equal(c.refused, 0);
	close_client(&c);
}

static void calls_wait_for_the_login(void **state)
{
	struct client c, gone;

	(void)state;
	open_client(&gone, false);
	say(&gone, "{\"func\":\"login\",\"args\":[\"slow\",\"\"]}");
	say(&gone, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	open_client(&c, false);
	say(&c, "{\"func\":\"login\",\"args\":[\"x\",\"\"]}");
	for (int i = 0; i < 3; i++)
		say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	assert_true(session_busy(c.session));
	assert_int_equal(c.frames, 0);
	close_client(&gone);
	sem_post(&gate);
	await(&c, 4);
	expect(&c, "{\"func\":\"loginback\",\"args\":[0]}\n{\"func\":\"f\",\"args\":[\"x\"]}\n"
	           "{\"func\":\"f\",\"args\":[\"x\"]}\n{\"func\":\"f\",\"args\":[\"x\"]}\n");
	assert_false(session_busy(c.session));
	assert_int_equal(users_named("alias"), 1);
	assert_int_equal(users_named("slow"), 0);
	close_client(&c);
	assert_int_equal(users_named("alias"), 0);
	assert_int_equal(waiting(), 0);
}

static void calls_and_answers(void **state)
{
	static const char packed[] =
		"\x84\xa3tpc\xa1" "a\xa4" "func\xa4" "join\xa4" "args\x91\xa1x\xa2id\x05";
	struct client c;

	(void)state;
	open_client(&c, true);
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	await(&c, 1);
	expect(&c, "{\"func\":\"f\",\"args\":[\"x\"]}\n");
	session_frame(c.session, packed, sizeof packed - 1);
	await(&c, 1);
	assert_false(c.text);
	expect(&c, "\x83\xa4" "func\xa0\xa4" "args\x91\xa1x\xa2id\x05\n");
	assert_int_equal(waiting(), 0);
	close_client(&c);
}

static void refusals(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, true);
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[1],\"id\":2}");
	assert_int_equal(c.frames, 1);
	expect_part(&c, "\"id\":2,\"err\":{\"code\":-1,");
	say(&c, "{\"tpc\":\"a\",\"func\":\"hidden\",\"cb\":\"f\"}");
	expect_part(&c, "{\"func\":\"f\",\"args\":[],\"err\":{\"code\":-2,");
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\"}");    /* wants no answer: is told an error */
	assert_int_equal(c.frames, 3);
	assert_int_equal(c.code, 0);
	close_client(&c);
}

static void malformed(void **state)
{
	static const char *const texts[] = { "", "x", "{", "{}", "[]", "{\"func\":1}" };
	struct client c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		open_client(&c, true);
		say(&c, texts[i]);
		assert_int_equal(c.code, 1007);
		assert_true(c.reason[0]);
		close_client(&c);
	}
}

static void unknown_topics_are_not_remembered(void **state)
{
	uint32_t names = name_count();
	struct client c;
	char text[100];

	(void)state;
	open_client(&c, true);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text,
		         "{\"tpc\":\"no %d\",\"func\":\"join\",\"args\":[\"%d\"],\"cb\":\"f\"}",
		         i, i);
		say(&c, text);
		await(&c, 1);
		snprintf(text, sizeof text, "{\"func\":\"f\",\"args\":[\"%d\"]}\n", i);
		expect(&c, text);
	}
	say(&c, "{\"func\":\"join\",\"args\":[\"none\"],\"cb\":\"f\"}");
	await(&c, 1);
	assert_true(name_count() <= names + 2);         /* "answer", perhaps */
	close_client(&c);
}

static void a_full_mailbox_is_waited_for(void **state)
{
	struct client c, other;
	char text[100];

	(void)state;
	open_client(&c, true);
	open_client(&other, true);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof text,
		         "{\"tpc\":\"b\",\"func\":\"pass\",\"args\":[%d],\"id\":%d}", i, i);
		say(&c, text);
	}
	assert_true(session_busy(c.session));
	assert_int_equal(waiting(), 20);
	say(&other, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"by\"],\"cb\":\"f\"}");
	await(&other, 1);
	assert_false(session_busy(other.session));
	for (int i = 0; i < 20; i++)
		sem_post(&gate);
	await(&c, 20);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof text, "{\"func\":\"\",\"args\":[%d],\"id\":%d}\n", i, i);
		expect_part(&c, text);
	}
	assert_false(session_busy(c.session));
	assert_int_equal(waiting(), 0);
	close_client(&c);
	close_client(&other);
}

static void gone_with_calls_under_way(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, true);
	for (int i = 0; i < 20; i++)
		say(&c, "{\"tpc\":\"c\",\"func\":\"pass\",\"args\":[1],\"cb\":\"f\"}");
	close_client(&c);
	assert_int_equal(waiting(), 0);
	for (int i = 0; i < 20; i++)
		sem_post(&gate);
	open_client(&c, true);
	say(&c, "{\"tpc\":\"c\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	await(&c, 1);
	close_client(&c);
	while (sem_trywait(&gate) == 0)
		;
}

static void await_taken(const char *name)
{
	struct actor_info i;

	while (!core_inspect(actor_find(name), &i) && i.depth)
		sched_yield();
}

/* Each is taken before the next is sent: what makes it busy is not the mailbox, which is full with
 * four, but how many are kept waiting. */
static void many_calls_make_it_busy(void **state)
{
	struct client c;
	int n = 0;

	(void)state;
	open_client(&c, true);
	for (; n < 2000 && !session_busy(c.session); n++) {
		say(&c, "{\"tpc\":\"a\",\"func\":\"keep\",\"cb\":\"f\"}");
		await_taken("a");
		turn();
	}
	assert_int_equal(n, 1025);
	assert_int_equal(c.frames, 0);
	close_client(&c);
	assert_int_equal(waiting(), 0);
}

static void actors_can_push(void **state)
{
	struct client c, other;

	(void)state;
	open_client(&c, true);
	open_client(&other, true);
	say(&c, "{\"tpc\":\"a\",\"func\":\"subscribe\",\"cb\":\"f\"}");
	await(&c, 1);
	expect(&c, "{\"func\":\"f\",\"args\":[]}\n");
	say(&other, "{\"tpc\":\"a\",\"func\":\"publish\",\"args\":[\"it rains\"]}");
	await(&c, 1);
	expect(&c, "{\"func\":\"news\",\"args\":[\"it rains\",7]}\n");
	close_client(&c);
	say(&other, "{\"tpc\":\"a\",\"func\":\"publish\",\"args\":[\"still\"],\"cb\":\"f\"}");
	await(&other, 1);
	expect_part(&other, "\"code\":-2");
	close_client(&other);
}

static void a_stopping_node_takes_no_calls(void **state)
{
	struct client c;

	(void)state;
	open_client(&c, true);
	session_quiet();
	say(&c, "{\"tpc\":\"a\",\"func\":\"join\",\"args\":[\"x\"],\"cb\":\"f\"}");
	expect(&c, "{\"func\":\"f\",\"args\":[],\"err\":{\"code\":-5,"
	       "\"text\":\"the node is stopping\"}}\n");
	close_client(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_comes_first),
		cmocka_unit_test(login_that_does_not_fit),
		cmocka_unit_test(login_is_asked_for),
		cmocka_unit_test(a_barred_address_is_not_asked_about),
		cmocka_unit_test(who_could_not_be_asked_about_has_not_guessed),
		cmocka_unit_test(calls_wait_for_the_login),
		cmocka_unit_test(calls_and_answers),
		cmocka_unit_test(refusals),
		cmocka_unit_test(malformed),
		cmocka_unit_test(unknown_topics_are_not_remembered),
		cmocka_unit_test(a_full_mailbox_is_waited_for),
		cmocka_unit_test(gone_with_calls_under_way),
		cmocka_unit_test(many_calls_make_it_busy),
		cmocka_unit_test(actors_can_push),
		cmocka_unit_test(a_stopping_node_takes_no_calls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
