/* SPDX-License-Identifier: MIT
 * test_guests.c - who stays when more clients of other nodes call than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "bus/guests.h"
#include "log.h"

enum { MOST = 32768 };

static struct loop *loop;
static struct peer *peer;
static struct guests *guests;
static struct peer_config config = { .node = "here", .life = 1 };

static struct guest *get(const char *kind, int i, bool again)
{
	char user[32];

	snprintf(user, sizeof user, "%s%d", kind, i);
	return guests_get(guests, peer, user, again);
}

static void who_called_last_stays(void **state)
{
	actor *held, *called, *oldest;
	struct guest *g = get("user", 0, false);

	(void)state;
	held = guest_actor(g);
	guest_hold(g);
	called = guest_actor(get("user", 1, false));
	for (int i = 2; i < MOST; i++)
		assert_non_null(get("user", i, false));
	assert_ptr_equal(guest_actor(get("user", 1, false)), called);
	oldest = guest_actor(get("user", 3, false));

	assert_non_null(get("new", 0, false));          /* for user 2 */
	assert_ptr_equal(guest_actor(get("user", 0, false)), held);
	assert_ptr_equal(guest_actor(get("user", 1, false)), called);
	assert_ptr_equal(guest_actor(get("user", 3, false)), oldest);
	assert_string_equal(guest_user(get("user", 2, false)), "user2");        /* for user 4 */
	guest_let_go(g);
}

static void who_waits_stays(void **state)
{
	struct guest *all[MOST];

	(void)state;
	for (int i = 0; i < MOST; i++) {
		all[i] = get("waits", i, false);
		guest_hold(all[i]);
	}
	for (int i = 0; i < 100000; i++)
		assert_null(get("late", i, false));
	for (int i = 0; i < MOST; i++)
		assert_ptr_equal(get("waits", i, false), all[i]);

	guest_let_go(all[7]);
	assert_non_null(get("late", 0, false));
	assert_non_null(get("late", 1, false));         /* for that one */
	guest_let_go(all[8]);
	assert_ptr_equal(get("waits", 8, false), all[8]);
	assert_non_null(get("late", 2, true));          /* stays */
	assert_non_null(get("late", 3, false));
	assert_non_null(get("late", 4, false));
	assert_ptr_not_equal(get("late", 2, true), get("late", 4, false));
	for (int i = 9; i < MOST; i++)
		guest_let_go(all[i]);
}

static int begin(void **state)
{
	struct core_config core = { .workers = 1 };
	struct why why;

	(void)state;
	log_set_level(LOG_ERROR);
	if (core_start(&core, &why) || !(loop = loop_new(&why)))
		return -1;
	config.loop = loop;
	peer = peer_new(&config, "there", &why);
	guests = guests_new(loop);
	return peer ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	core_stop(1000);
	guests_free(guests);
	peer_free(peer);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_called_last_stays),
		cmocka_unit_test(who_waits_stays),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
