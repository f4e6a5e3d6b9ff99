/* SPDX-License-Identifier: MIT
 * test_peer.c - what is said each second to another node is not heaped up while Redis is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bus/peer.h"
#include "log.h"

enum { LIFE = 7 };

static struct loop *loop;
static struct loop_timer *last;
static struct peer *peer;
static bool away;
static int frames;
static redis_fn *waiting;
static void *waits;

static int look(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
                const size_t *len)
{
	(void)link, (void)fn, (void)arg, (void)argc, (void)argv, (void)len;
	return ACTOR_EFAIL;
}

static int write(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
                 const size_t *len)
{
	(void)link, (void)argc, (void)argv, (void)len;
	if (away)
		return ACTOR_EFAIL;
	frames++;
	waiting = fn;
	waits = arg;
	return 0;
}

static void going(void *arg)
{
	(void)arg;
}

static const struct redis_port port = { .command = look, .sure = write };
static struct peer_config config = { .port = &port, .node = "here", .life = 1, .gate = going,
                                     .going = going };

static void stop(void *arg)
{
	loop_stop(arg);
}

static void turn(void)
{
	loop_timer_set(last, 1);
	loop_run(loop);
}

static void reply(struct redis_reply r)
{
	redis_fn *fn = waiting;

	assert_non_null(fn);
	waiting = NULL;
	fn(waits, &r);
	turn();
}

static size_t heap(void)
{
	struct peer_info info;

	peer_info(peer, &info);
	return info.bytes;
}

static void no_room(int times)
{
	for (; times; times--) {
		peer_tell_room(peer, "sink", false);
		turn();
	}
}

static void it_is_said_once_while_redis_is_away(void **state)
{
	size_t one;

	(void)state;
	no_room(1);
	assert_int_equal(frames, 1);
	away = true;
	reply((struct redis_reply){ .type = REDIS_GONE });
	one = heap();
	assert_true(one > 0);
	no_room(20);
	assert_int_equal(heap(), one);

	peer_tell_room(peer, "sink", true);     /* is said once, so it is not left out */
	assert_true(heap() > one);
	away = false;
	peer_up(peer);
	assert_int_equal(frames, 2);
	reply((struct redis_reply){ .type = REDIS_STR, .str = "1-1", .len = 3 });
	assert_int_equal(frames, 3);
	reply((struct redis_reply){ .type = REDIS_STR, .str = "2-1", .len = 3 });
	assert_int_equal(heap(), 0);
	no_room(1);
	assert_int_equal(frames, 4);            /* and that there is none, again */
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
	last = loop_timer_new(loop, stop, loop);
	peer = peer_new(&config, "there", &why);
	if (!peer)
		return -1;
	peer_here(peer, LIFE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	core_stop(1000);
	peer_free(peer);
	loop_timer_free(last);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_said_once_while_redis_is_away),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
