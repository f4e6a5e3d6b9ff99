/* SPDX-License-Identifier: MIT
 * test_link.c - the embedded redis-server and the link to it, for real: sign-in, commands,
 * channels, the order that a beat promises, lost connections, a killed server, a password that is
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/link.h"
#include "bus/server.h"

enum { GIVE_UP_MS = 20000, MESSAGES = 500 };

static char state_dir[] = "/tmp/actord-test-link-XXXXXX";
static struct loop *loop;
static struct server *server;
static struct link *link_;
static int ups, downs, messages, replies;
static int64_t beat_wanted;
static char reason[256], last[64];
static bool gave_up;

static void give_up(void *arg)
{
	(void)arg;
	gave_up = true;
	loop_stop(loop);
}

/* Until something stops the loop; nothing doing so is a failure. */
static void turn(void)
{
	struct loop_timer *t = loop_timer_new(loop, give_up, NULL);

	gave_up = false;
	loop_timer_set(t, GIVE_UP_MS);
	loop_run(loop);
	loop_timer_free(t);
	assert_false(gave_up);
}

static void on_up(void *arg)
{
	(void)arg;
	ups++;
	loop_stop(loop);
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	downs++;
	snprintf(reason, sizeof reason, "%s", why);
	loop_stop(loop);
}

static void on_message(void *arg, struct redis_reply channel, struct redis_reply payload)
{
	(void)arg;
	assert_string_equal(channel.str, "news");
	snprintf(last, sizeof last, "%s", payload.str);
	messages++;
}

static void on_pulse(void *arg, int64_t beat)
{
	(void)arg;
	if (beat >= beat_wanted)
		loop_stop(loop);
}

static const struct link_events events = { on_up, on_down, on_message, on_pulse };

static void on_reply(void *arg, const struct redis_reply *r)
{
	*(int *)arg = (int)r->type;
	replies++;
}

static int tell(enum link_lane lane, int *type, int argc, const char **argv)
{
	const struct redis_port *p = link_port(link_, lane);
	size_t len[8];

	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	return p->command(p->link, on_reply, type, argc, argv, len);
}
#define TELL(lane, type, ...)                                                                      \
	tell(lane, type, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),          \
	     (const char *[]){ __VA_ARGS__ })

static void wait_for_beat(void)
{
	beat_wanted = link_beat(link_);
	turn();
}

static void join(const struct url *u)
{
	struct link_config c = { u, "test", "test:pulse", false };

	ups = downs = messages = replies = 0;
	link_ = link_new(loop, &c, &events, NULL);
}

static void until_up(void)
{
	int before = ups;

	while (ups == before)
		turn();
	assert_true(link_up(link_));
}

static struct url server_at(void)
{
	struct url u;
	struct why why;

	assert_int_equal(url_parse(&u, server_url(server), &why), 0);
	assert_int_equal(u.db, 1);
	return u;
}

static int server_pid(void)
{
	char path[128];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/redis/redis.pid", state_dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

/* --- the tests ---------------------------------------------------------------------------- */

static void state_is_private(void **state)
{
	char path[128];
	struct stat s;

	(void)state;
	snprintf(path, sizeof path, "%s/redis.password", state_dir);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(s.st_size, 32);
	snprintf(path, sizeof path, "%s/redis", state_dir);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0700);
}

static void a_taken_port(void **state)
{
	struct url u = server_at();
	struct server_config c = { .state = state_dir, .bind = "127.0.0.1", .port = u.port,
	                           .port_asked = true };
	char other[] = "/tmp/actord-test-link-XXXXXX", command[128];
	struct why why;

	(void)state;
	c.state = mkdtemp(other);
	assert_null(server_start(&c, &why));
	assert_non_null(strstr(why.text, "in use"));
	snprintf(command, sizeof command, "rm -r %s", other);
	assert_int_equal(system(command), 0);
}

static void commands_and_their_replies(void **state)
{
	struct url u = server_at();
	int set = 0, get = 0, bad = 0;

	(void)state;
	join(&u);
	assert_int_not_equal(TELL(LINK_COMMANDS, &set, "SET", "k", "v"), 0);    /* not up yet */
	until_up();
	assert_true(link_id(link_, LINK_LISTS) > 0);
	assert_int_equal(TELL(LINK_COMMANDS, &set, "SET", "k", "v"), 0);
	assert_int_equal(TELL(LINK_COMMANDS, &bad, "LPUSH", "k", "v"), 0);
	assert_int_equal(TELL(LINK_COMMANDS, &get, "LRANGE", "none", "0", "-1"), 0);
	wait_for_beat();        /* sent after them, but on another connection: so once more */
	while (replies < 3)
		wait_for_beat();
	assert_int_equal(set, REDIS_STR);
	assert_int_equal(bad, REDIS_ERROR);
	assert_int_equal(get, REDIS_LIST);
	link_free(link_);
}

static void a_beat_comes_behind_what_was_published(void **state)
{
	struct url u = server_at();
	const char *news = "news", *text = NULL;
	char number[16];
	size_t len = 4;
	int type;

	(void)state;
	join(&u);
	until_up();
	link_subscribe(link_, true, 1, &news, &len);
	wait_for_beat();
	for (int i = 1; i <= MESSAGES; i++) {
		snprintf(number, sizeof number, "%d", i);
		text = number;
		assert_int_equal(TELL(LINK_COMMANDS, &type, "PUBLISH", "news", text), 0);
	}
	while (replies < MESSAGES)
		wait_for_beat();
	wait_for_beat();        /* begun when Redis had them all */
	assert_int_equal(messages, MESSAGES);
	assert_string_equal(last, number);
	link_free(link_);
}

static void what_waits_hears_that_it_is_lost(void **state)
{
	struct url u = server_at();
	int pop = -1, killed = -1;
	int64_t id;
	char text[24];

	(void)state;
	join(&u);
	until_up();
	id = link_id(link_, LINK_LISTS);
	snprintf(text, sizeof text, "%lld", (long long)id);
	assert_int_equal(TELL(LINK_LISTS, &pop, "BLPOP", "none", "60"), 0);
	assert_int_equal(TELL(LINK_COMMANDS, &killed, "CLIENT", "KILL", "ID", text), 0);
	turn();
	assert_int_equal(downs, 1);
	assert_int_equal(pop, REDIS_GONE);
	assert_false(link_up(link_));
	until_up();
	assert_int_not_equal(link_id(link_, LINK_LISTS), id);
	link_free(link_);
}

static void comes_back_with_a_killed_server(void **state)
{
	struct url u = server_at();
	int pid = server_pid();

	(void)state;
	join(&u);
	until_up();
	kill(pid, SIGKILL);
	until_up();
	assert_true(downs > 0);
	assert_int_not_equal(server_pid(), pid);
	link_free(link_);
}

static void a_wrong_password(void **state)
{
	struct url u = server_at();

	(void)state;
	u.password[0] ^= 1;
	join(&u);
	turn();
	assert_int_equal(ups, 0);
	assert_non_null(strstr(reason, "WRONGPASS"));
	link_free(link_);
}

static void a_port_where_nobody_is(void **state)
{
	struct url u = server_at();

	(void)state;
	u.port = 1;
	snprintf(u.host, sizeof u.host, "localhost");
	join(&u);
	turn();
	turn();
	assert_int_equal(downs, 2);
	assert_non_null(strstr(reason, "refused"));
	link_free(link_);
}

static int begin(void **state)
{
	struct server_config c = { .bind = "127.0.0.1", .port = 0, .port_asked = true, .db = 1 };
	struct core_config core = { .workers = 1 };
	struct why why;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	c.state = mkdtemp(state_dir);
	server = server_start(&c, &why);
	if (!server || core_start(&core, &why) || !(loop = loop_new(&why))) {
		print_error("%s\n", why.text);
		return -1;
	}
	server_watch(server, loop);
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	core_stop(1000);
	server_stop(server);
	loop_free(loop);
	snprintf(command, sizeof command, "rm -r %s", state_dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_private),
		cmocka_unit_test(a_taken_port),
		cmocka_unit_test(commands_and_their_replies),
		cmocka_unit_test(a_beat_comes_behind_what_was_published),
		cmocka_unit_test(what_waits_hears_that_it_is_lost),
		cmocka_unit_test(comes_back_with_a_killed_server),
		cmocka_unit_test(a_wrong_password),
		cmocka_unit_test(a_port_where_nobody_is),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
