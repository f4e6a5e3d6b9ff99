/* SPDX-License-Identifier: MIT
 * test_keep.c - what sessions keep, in memory: days that end, the store's and Redis's side. */
#include <stdlib.h>
#include <time.h>

#include "running.h"

#include "keep.h"
#include "keyed.h"
#include "saves.h"

static int64_t wall;

static int64_t set_wall(void *arg)
{
	(void)arg;
	return wall;
}

static struct buf changes;

static void note_change(void *arg, const char *key, struct packed value)
{
	struct value v = { .type = VALUE_NULL };

	(void)arg;
	if (value.at)
		packed_next(&value, &v);
	if (v.type == VALUE_LIST) {             /* of a day */
		packed_next(&value, &v);
		buf_printf(&changes, "%s@%lld", key, (long long)v.i);
		packed_next(&value, &v);
	} else {
		buf_text(&changes, key);
	}
	buf_printf(&changes, v.type == VALUE_NULL ? " gone," : " %lld,", (long long)v.i);
}

static void expect_changes(const char *user, const char *text)
{
	buf_clear(&changes);
	saves_take(&changes);
	buf_clear(&changes);
	keep_changes(user, note_change, NULL);
	assert_false(keep_saved(user, true));
	buf_add(&changes, "", 1);
	assert_string_equal(changes.p, text);
}

/* The handlers run as an actor, as setting sends; what is asked of it runs in order. */
static int work(actor *self, const msg *m)
{
	actor_ref who = (actor_ref)msg_int(m, 0);
	int64_t total = 0;
	int rc = client_add(self, who, (enum client_keep)msg_int(m, 1), msg_str(m, 2),
			    msg_int(m, 3), &total);

	happened(rc ? rc : total, rc ? actor_why(self) : "");
	return 0;
}

static int drop(actor *self, const msg *m)
{
	happened(client_drop(self, (actor_ref)msg_int(m, 0), (enum client_keep)msg_int(m, 1),
	                     msg_str(m, 2)), "");
	return 0;
}

static int saves;

static int saved(actor *self, const msg *m)
{
	(void)self;
	saves++;
	happened(saves, msg_str(m, 0));
	return 0;
}

static const struct actor_type worker_type = {
	.name = "keeper",
	.on = ON({ "work", "who:int keep:int key:str by:int", work, 0 },
	         { "drop", "who:int keep:int key:str by:int", drop, 0 }),
};
static const struct actor_type clients_type = {
	.name = "clients",
	.on = ON({ "share", "user:str key:str command:str value:str?", saved, 0 }),
};
static const struct actor_type bus_type = { .name = "bus", .on = ON({ "none", "", saved, 0 }) };
static const struct actor_type store_type = {
	.name = "store",
	.on = ON({ "save", "user:str?", saved, 0 }),
};

static int64_t tell(const char *what, actor_ref who, enum client_keep keep, const char *key,
                    int64_t by, int more)
{
	int64_t seen = events + 1 + more;
	struct why why = { "" };
	struct buf b = { 0 };
	struct call c = { .to = actor_find("keeper"), .what = what, .count = 4 };

	pack_int(&b, (int64_t)who);
	pack_int(&b, keep);
	pack_text(&b, key);
	pack_int(&b, by);
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	if (core_send(NULL, &c, &why))
		fail_msg("%s", why.text);
	expect_events(seen);
	buf_fini(&b);
	return last;
}

/* What client_add() gave; more: saves that it brings. */
static int64_t ask(actor_ref who, enum client_keep keep, const char *key, int64_t by, int more)
{
	return tell("work", who, keep, key, by, more);
}

static void at(const char *text)
{
	struct tm t = { .tm_isdst = -1 };

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &t));
	wall = (int64_t)mktime(&t) * 1000;
}

static void a_day_ends_at_local_midnight(void **state)
{
	(void)state;
	at("2026-03-01 23:59:59");
	assert_true(keep_open(7, "ann"));
	keep_loaded("ann");
	ask(7, KEEP_TODAY, "hits", 5, 1);
	assert_int_equal(client_int(7, KEEP_TODAY, "hits"), 5);
	expect_changes("ann", "dhits@20260301 5,");
	expect_changes("ann", "");
	wall += 2000;
	assert_int_equal(client_int(7, KEEP_TODAY, "hits"), 0);
	assert_int_equal(client_type(7, KEEP_TODAY, "hits"), MSG_NULL);
	ask(7, KEEP_TODAY, "hits", 2, 1);
	assert_int_equal(client_int(7, KEEP_TODAY, "hits"), 2);
	expect_changes("ann", "dhits@20260302 2,");
	wall += 86400 * 1000;
	assert_int_equal(client_int(7, KEEP_TODAY, "hits"), 0);
	keep_close(7);
	assert_int_equal(keep_users(), 0);
}

/* So many different ones of a kind, each saved or not; what the one after them gave. */
static int64_t fill(actor_ref who, const char *user, enum client_keep keep, bool is_saved)
{
	char key[16];

	for (int i = 0; i < KEEP_MOST; i++) {
		snprintf(key, sizeof key, "item-%d", i);
		ask(who, keep, key, 1, !i);
		assert_int_equal(client_int(who, keep, key), 1);
	}
	if (is_saved) {
		saves_take(&changes);
		keep_changes(user, note_change, NULL);
		assert_false(keep_saved(user, true));
	}
	return ask(who, keep, "one more", 1, 0);
}

/* What is over takes no place from what is set today, on its way to the disk or not. */
static void a_day_makes_room_for_the_next(void **state)
{
	uint8_t day[] = { 0x92, 0xce, 0x01, 0x35, 0x27, 0x4d, 3 };      /* [20260685, 3] */
	char key[16];

	(void)state;
	for (int is_saved = 0; is_saved < 2; is_saved++) {
		at("2026-03-01 23:59:59");
		keep_open(16, "gus");
		keep_loaded("gus");
		assert_int_equal(fill(16, "gus", KEEP_TODAY, is_saved), ACTOR_ENOMEM);
		wall += 2000;
		ask(16, KEEP_TODAY, "one more", 1, is_saved);
		assert_int_equal(client_int(16, KEEP_TODAY, "one more"), 1);
		assert_int_equal(tell("drop", 16, KEEP_TODAY, "item-3", 0, 0), 0);
		assert_int_equal(ask(16, KEEP_TODAY, "item-4", 1, 0), 1);
		expect_changes("gus", "ditem-4@20260302 1,ditem-3 gone,done more@20260302 1,");
		keep_close(16);
		assert_int_equal(keep_users(), 0);
	}
	keep_open(16, "gus");
	for (int i = 0; i < KEEP_MOST; i++) {           /* as the disk has them on another day */
		snprintf(key, sizeof key, "ditem-%d", i);
		keep_found("gus", key, strlen(key), (struct packed){ day, day + sizeof day });
	}
	keep_loaded("gus");
	assert_int_equal(fill(16, "gus", KEEP_TODAY, true), ACTOR_ENOMEM);
	keep_close(16);
	assert_int_equal(keep_users(), 0);
}

static void each_kind_has_its_places(void **state)
{
	(void)state;
	keep_open(17, "hal");
	keep_loaded("hal");
	assert_int_equal(fill(17, "hal", KEEP_LOCAL, true), ACTOR_ENOMEM);
	assert_int_equal(fill(17, "hal", KEEP_TODAY, true), ACTOR_ENOMEM);
	keep_shared("hal", "gold", "12", 2);
	assert_int_equal(client_int(17, KEEP_SHARED, "gold"), 12);
	keep_close(17);
	assert_int_equal(keep_users(), 0);
}

static struct packed number(uint8_t *v)
{
	return (struct packed){ v, v + 1 };
}

static void what_is_set_meanwhile_stays(void **state)
{
	uint8_t nine = 9;
	uint8_t day[] = { 0x92, 0xce, 0x01, 0x35, 0x27, 0x4d, 3 };      /* [20260685, 3] */

	(void)state;
	assert_true(keep_open(8, "bob"));
	assert_true(keep_open(9, "bob"));               /* nobody has loaded it yet */
	ask(8, KEEP_LOCAL, "a", 1, 1);
	keep_found("bob", "la", 2, number(&nine));
	keep_found("bob", "lb", 2, number(&nine));
	keep_found("bob", "dc", 2, (struct packed){ day, day + sizeof day });
	keep_found("bob", "dd", 2, number(&nine));      /* no list: passed over */
	keep_found("nobody", "lb", 2, number(&nine));
	keep_loaded("bob");
	assert_false(keep_open(10, "bob"));
	assert_int_equal(client_int(9, KEEP_LOCAL, "a"), 1);
	assert_int_equal(client_int(9, KEEP_LOCAL, "b"), 9);
	assert_int_equal(client_type(9, KEEP_TODAY, "c"), MSG_NULL);    /* another day */
	keep_shared("bob", "s", "12", 2);
	assert_int_equal(client_int(10, KEEP_SHARED, "s"), 12);
	keep_shared("bob", "t", "no JSON", 7);
	assert_int_equal(client_type(10, KEEP_SHARED, "t"), MSG_STR);
	keep_shared("bob", "s", NULL, 0);
	assert_int_equal(client_type(10, KEEP_SHARED, "s"), MSG_NULL);
	for (actor_ref who = 8; who <= 10; who++)
		keep_close(who);
	assert_int_equal(keep_users(), 1);              /* a is not saved yet */
	expect_changes("bob", "la 1,");
	assert_int_equal(keep_users(), 0);
	assert_int_equal(client_int(8, KEEP_LOCAL, "a"), 0);
}

/* Redis's answers are taken in their order; none before the last of our own changes has come. */
static void what_redis_says_last(void **state)
{
	int64_t total = 7;

	(void)state;
	keep_open(13, "eve");
	ask(13, KEEP_SHARED, "n", 1, 1);
	ask(13, KEEP_SHARED, "n", 1, 1);
	keep_shared("eve", "n", "5", 1);                /* older than both, perhaps */
	assert_int_equal(client_int(13, KEEP_SHARED, "n"), 2);
	keep_written("eve", "n", &total);
	assert_int_equal(client_int(13, KEEP_SHARED, "n"), 2);
	total++;
	keep_written("eve", "n", &total);
	assert_int_equal(client_int(13, KEEP_SHARED, "n"), 8);
	keep_shared("eve", "n", "9", 1);
	assert_int_equal(client_int(13, KEEP_SHARED, "n"), 9);
	ask(13, KEEP_SHARED, "n", 1, 1);
	keep_written("eve", "n", NULL);                 /* it was lost on the way */
	assert_int_equal(client_int(13, KEEP_SHARED, "n"), 10);
	keep_written("nobody", "n", &total);
	keep_close(13);
	keep_written("eve", "n", &total);
	assert_int_equal(keep_users(), 0);
}

/* Each is read once, however often that is wanted before it is. */
static void who_is_to_be_read_again(void **state)
{
	struct buf names = { 0 };

	(void)state;
	keep_open(18, "ida");
	assert_false(keep_stale("ida", false));
	assert_true(keep_stale("ida", true));
	assert_true(keep_stale("ida", false));
	keep_names(&names);
	assert_memory_equal(names.p, "ida", 4);
	assert_false(keep_stale("ida", true));          /* it is among them */
	assert_true(keep_stale("ida", false));
	assert_false(keep_stale("nobody", true));
	buf_fini(&names);
	keep_close(18);
	assert_int_equal(keep_users(), 0);
}

/* A refusal from before Redis went away, which is heard of later, does not end it. */
static void shut_while_redis_is_away(void **state)
{
	(void)state;
	keep_open(19, "jan");
	keep_shut("it is away", 0);
	keep_shut("it refuses", 3600000);
	assert_int_equal(ask(19, KEEP_SHARED, "n", 1, 0), ACTOR_EFAIL);
	assert_string_equal(last_text, "it is away");
	keep_shut(NULL, 0);
	keep_shut("it refuses", 3600000);
	assert_int_equal(ask(19, KEEP_SHARED, "n", 1, 0), ACTOR_EFAIL);
	assert_string_equal(last_text, "it refuses");
	keep_shut(NULL, 0);
	assert_int_not_equal(ask(19, KEEP_SHARED, "n", 1, 1), ACTOR_EFAIL);
	keep_close(19);
	assert_int_equal(keep_users(), 0);
}

static void the_store_is_told_once(void **state)
{
	int before = saves;

	(void)state;
	keep_open(11, "cat");
	for (int i = 1; i <= 5; i++)
		assert_true(ask(11, KEEP_LOCAL, "n", 1, i == 1) >= 0);
	assert_int_equal(saves, before + 1);
	expect_changes("cat", "ln 5,");
	assert_true(keep_saved("cat", false));          /* the disk was full */
	expect_changes("cat", "ln 5,");
	ask(11, KEEP_LOCAL, "n", 1, 1);
	assert_int_equal(saves, before + 2);
	expect_changes("cat", "ln 6,");
	keep_close(11);
	assert_int_equal(keep_users(), 0);
}

static void outlasts_the_session_on_a_full_disk(void **state)
{
	int before = saves;

	(void)state;
	keep_open(11, "cat");
	ask(11, KEEP_LOCAL, "n", 1, 1);
	saves_take(&changes);
	keep_changes("cat", note_change, NULL);
	ask(11, KEEP_LOCAL, "m", 1, 0);                 /* while that is being written */
	assert_int_equal(saves, before + 1);
	keep_close(11);
	assert_int_equal(keep_users(), 1);
	assert_true(keep_saved("cat", false));
	expect_changes("cat", "lm 1,ln 1,");
	assert_int_equal(keep_users(), 0);
}

/* Until it takes the names of all who have something. */
static void of_many_users_at_once(void **state)
{
	int before = saves;

	(void)state;
	keep_open(20, "ann");
	keep_open(21, "bob");
	ask(20, KEEP_LOCAL, "n", 1, 1);
	ask(21, KEEP_LOCAL, "n", 2, 0);
	ask(20, KEEP_LOCAL, "n", 1, 0);
	assert_int_equal(saves, before + 1);
	saves_untold("ann");
	assert_true(saves_add("cat"));
	assert_false(saves_add("dan"));
	buf_clear(&changes);
	saves_take(&changes);
	assert_int_equal(changes.len, 12);
	assert_memory_equal(changes.p, "bob\0cat\0dan\0", 12);
	assert_false(saves_any());
	expect_changes("ann", "ln 2,");
	expect_changes("bob", "ln 2,");
	ask(21, KEEP_LOCAL, "n", 1, 1);
	assert_true(saves_any());
	expect_changes("bob", "ln 3,");
	keep_close(20);
	keep_close(21);
	assert_int_equal(keep_users(), 0);
}

static void refusals(void **state)
{
	char key[200];

	(void)state;
	keep_open(12, "dog");
	memset(key, 'x', sizeof key);
	key[KEEP_KEY_MOST + 1] = 0;
	assert_int_equal(ask(12, KEEP_LOCAL, key, 1, 0), ACTOR_EARGS);
	assert_int_equal(ask(99, KEEP_TEMP, "a", 1, 0), ACTOR_ENOENT);  /* no such session */
	ask(12, KEEP_TEMP, "a", INT64_MAX, 0);
	assert_int_equal(ask(12, KEEP_TEMP, "a", 1, 0), ACTOR_EARGS);   /* beyond 64 bits */
	for (int i = 0; i < KEEP_MOST - 1; i++) {
		snprintf(key, sizeof key, "%d", i);
		assert_int_equal(ask(12, KEEP_TEMP, key, 1, 0), 1);
	}
	assert_int_equal(ask(12, KEEP_TEMP, "one more", 1, 0), ACTOR_ENOMEM);
	assert_int_equal(tell("drop", 12, KEEP_TEMP, "7", 0, 0), 0);
	assert_int_equal(ask(12, KEEP_TEMP, "one more", 1, 0), 1);
	keep_close(12);
	assert_int_equal(keep_users(), 0);
}

/* What the disk has is not written over by a session that could not read it. */
static void not_before_it_was_read(void **state)
{
	(void)state;
	assert_true(keep_open(14, "fay"));
	keep_unread("fay", true);
	keep_loaded("fay");
	assert_int_equal(ask(14, KEEP_LOCAL, "gold", 1, 0), ACTOR_ETIME);
	assert_int_equal(ask(14, KEEP_TODAY, "gold", 1, 0), ACTOR_ETIME);
	assert_int_equal(tell("drop", 14, KEEP_LOCAL, "gold", 0, 0), ACTOR_ETIME);
	assert_int_equal(ask(14, KEEP_TEMP, "gold", 1, 0), 1);
	expect_changes("fay", "");
	assert_true(keep_open(15, "fay"));              /* asks the store anew */
	keep_unread("fay", false);
	keep_loaded("fay");
	ask(14, KEEP_LOCAL, "gold", 1, 1);
	expect_changes("fay", "lgold 1,");
	keep_close(14);
	keep_close(15);
	assert_int_equal(keep_users(), 0);
}

/* What is dropped takes a place until the disk knows, and no longer. */
static void places_come_back(void **state)
{
	char key[16];

	(void)state;
	keep_open(13, "eve");
	keep_loaded("eve");
	for (int i = 0; i < 3 * KEEP_MOST; i++) {
		snprintf(key, sizeof key, "match-%d", i);
		assert_int_not_equal(ask(13, KEEP_LOCAL, key, 1, i % 100 == 0), ACTOR_ENOMEM);
		assert_int_equal(tell("drop", 13, KEEP_LOCAL, key, 0, 0), 0);
		if (i % 100 == 99) {
			saves_take(&changes);
			keep_changes("eve", note_change, NULL);
			/* not on the disk: each is said once more */
			assert_true(keep_saved("eve", false));
			keep_changes("eve", note_change, NULL);
			assert_false(keep_saved("eve", true));
		}
	}
	saves_take(&changes);
	keep_changes("eve", note_change, NULL);
	assert_false(keep_saved("eve", true));
	keep_close(13);
	assert_int_equal(keep_users(), 0);
}

static void many_users(void **state)
{
	char name[32], text[16], user[4];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "user %d", i);
		assert_true(keep_open(1000 + (actor_ref)i, name));
		keep_shared(name, "n", text, (size_t)snprintf(text, sizeof text, "%d", i));
	}
	assert_int_equal(keep_users(), 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "user %d", i);
		assert_int_equal(client_int(1000 + (actor_ref)i, KEEP_SHARED, "n"), i);
		assert_int_equal(client_user(1000 + (actor_ref)i, user, 4), strlen(name));
		assert_string_equal(user, "use");
	}
	for (int i = 0; i < 5000; i++)
		keep_close(1000 + (actor_ref)i);
	assert_int_equal(keep_users(), 0);
}

static int begin(void **state)
{
	setenv("TZ", "America/New_York", 1);            /* far from UTC: local it must be */
	tzset();
	ports.clock.wall_ms = set_wall;
	if (group_setup(state))
		return -1;
	spawn(add(&worker_type), "keeper");
	spawn(add(&store_type), "store");
	spawn(add(&clients_type), "clients");
	spawn(add(&bus_type), "bus");
	return 0;
}

static int end(void **state)
{
	buf_fini(&changes);
	return group_teardown(state);
}

static void pass_over(void *arg, const char *key, struct packed value)
{
	(void)arg, (void)key, (void)value;
}

/* How many still have something to be saved. */
static int save_all(int users, bool saved)
{
	char user[16];
	int more = 0;

	for (int i = 0; i < users; i++) {
		snprintf(user, sizeof user, "u%d", i);
		keep_changes(user, pass_over, NULL);
		more += keep_saved(user, saved);
	}
	return more;
}

/* Users come, keep something and go, while the disk takes nothing. */
static void what_waits_for_a_full_disk_is_bounded(void **state)
{
	static const char long_text[60000];
	struct keep_task t = { .user = "" };
	struct buf text = { 0 };
	char name[16];
	int users = 0;

	(void)state;
	pack_str(&text, long_text, sizeof long_text);
	for (; keyed_waiting() < KEEP_WAITING_MOST && users < 100; users++) {
		snprintf(name, sizeof name, "u%d", users);
		keep_open(40, name);
		for (int i = 0; i < 200; i++) {
			snprintf(name, sizeof name, "key %d", i);
			assert_int_equal(keep_write(40, KEEP_LOCAL, name, packed_of(&text), &t), 0);
		}
		keep_close(40);
		assert_int_equal(save_all(users + 1, false), users + 1);
	}
	assert_int_equal(users, 6);                     /* 64 MiB */
	assert_int_equal(keep_users(), 6);
	keep_open(40, "late");
	assert_int_equal(ask(40, KEEP_TODAY, "n", 1, 0), ACTOR_EFULL);
	assert_int_equal(ask(40, KEEP_TEMP, "n", 1, 0), 1);

	assert_int_equal(save_all(users, true), 0);     /* there is room again */
	assert_int_equal(keep_users(), 1);
	assert_true(ask(40, KEEP_TODAY, "n", 1, 1) > 0);
	saves_take(&changes);
	assert_int_equal(keep_saved("late", true), true);
	keep_changes("late", pass_over, NULL);
	assert_false(keep_saved("late", true));
	keep_close(40);
	assert_int_equal(keep_users(), 0);
	buf_fini(&text);
}

static void guests_have_a_name_alone(void **state)
{
	char user[8];

	(void)state;
	keep_open(30, "ann");
	assert_int_equal(client_add(NULL, 30, KEEP_TEMP, "n", 1, NULL), 0);
	keep_guest(31, "ann");
	assert_int_equal(client_user(31, user, sizeof user), 3);
	assert_string_equal(user, "ann");
	assert_int_equal(client_add(NULL, 31, KEEP_TEMP, "n", 1, NULL), ACTOR_ENOENT);
	assert_int_equal(client_add(NULL, 31, KEEP_LOCAL, "n", 1, NULL), ACTOR_ENOENT);
	assert_int_equal(client_type(31, KEEP_TEMP, "n"), MSG_NULL);
	assert_int_equal(keep_users(), 1);
	keep_close(31);
	assert_int_equal(client_user(31, user, sizeof user), 0);
	assert_int_equal(client_int(30, KEEP_TEMP, "n"), 1);
	keep_close(30);
	assert_int_equal(keep_users(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_day_ends_at_local_midnight, setup),
		cmocka_unit_test_setup(a_day_makes_room_for_the_next, setup),
		cmocka_unit_test_setup(each_kind_has_its_places, setup),
		cmocka_unit_test_setup(what_is_set_meanwhile_stays, setup),
		cmocka_unit_test_setup(what_redis_says_last, setup),
		cmocka_unit_test_setup(who_is_to_be_read_again, setup),
		cmocka_unit_test_setup(shut_while_redis_is_away, setup),
		cmocka_unit_test_setup(the_store_is_told_once, setup),
		cmocka_unit_test_setup(outlasts_the_session_on_a_full_disk, setup),
		cmocka_unit_test_setup(of_many_users_at_once, setup),
		cmocka_unit_test_setup(refusals, setup),
		cmocka_unit_test_setup(not_before_it_was_read, setup),
		cmocka_unit_test_setup(places_come_back, setup),
		cmocka_unit_test_setup(many_users, setup),
		cmocka_unit_test_setup(guests_have_a_name_alone, setup),
		cmocka_unit_test_setup(what_waits_for_a_full_disk_is_bounded, setup),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
