/* SPDX-License-Identifier: MIT
 * test_acks.c - what is handled is told to Redis in order, and told again where nobody knows
 * whether it was heard; the port's other side is written out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../runtime/actor.h"
#include "../../runtime/bus/acks.h"

static struct { redis_fn *fn; void *arg; char id[48], sender[96], swept[4096]; int argc; } told;
static int n_told;
static bool away;

static int command(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
                   const size_t *len)
{
	(void)link, (void)len;
	if (away)
		return ACTOR_EFAIL;
	told.fn = fn;
	told.arg = arg;
	told.argc = argc;
	snprintf(told.id, sizeof told.id, "%s", argv[5]);
	snprintf(told.sender, sizeof told.sender, "%s %s", argc > 8 ? argv[8] : "",
	         argc > 9 ? argv[9] : "");
	snprintf(told.swept, sizeof told.swept, "%s", argv[7]);
	n_told++;
	return 0;
}

static const struct redis_port port = { .command = command };

enum { MANY = 200 };
static int troubles, doubts;

static void handled(void *arg, const char *trouble, bool others)
{
	(void)arg;
	troubles += trouble != NULL;
	doubts += others;
}

static void reply(int type)
{
	told.fn(told.arg, &(struct redis_reply){ .type = type, .str = "NOREPLICAS" });
}

static void batch(struct acks *a, struct sender *s, uint64_t sequence, uint64_t ms)
{
	struct batch *b = acks_begin(a);

	assert_int_equal(sender_frame(s, 7, sequence, false), SENDER_NEXT);
	batch_entry(b, &(struct id){ ms, 0 }, s);
	acks_close(a, b);
	acks_tell(a);
}

static struct senders *all;
static struct sender *s;

static struct acks *fresh(void)
{
	struct acks *a;

	all = senders_new();
	s = sender_of(all, "alpha");
	a = acks_new(&port, "key", "seen", "5 0", all, handled, NULL);
	n_told = 0;
	away = false;
	acks_up(a);
	return a;
}

static void end(struct acks *a)
{
	acks_free(a);
	senders_free(all);
}

static void test_one_at_a_time(void **state)
{
	struct acks *a = fresh();

	(void)state;
	batch(a, s, 1, 100);
	assert_string_equal(told.id, "100-1");
	assert_string_equal(told.sender, "alpha 7 1");
	batch(a, s, 2, 200);
	batch(a, s, 3, 300);
	assert_int_equal(n_told, 1);
	assert_int_equal(acks_untold(a), 2);
	reply(REDIS_INT);
	acks_tell(a);
	assert_int_equal(n_told, 2);
	assert_int_equal(acks_untold(a), 0);
	assert_string_equal(told.id, "300-1");
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

/* The link tells each command that it is lost, and then that it is down; or the other way round. */
static void lost(bool down_first)
{
	struct acks *a = fresh();

	batch(a, s, 1, 100);
	away = true;
	if (down_first)
		acks_down(a);
	reply(REDIS_GONE);
	if (!down_first)
		acks_down(a);
	away = false;
	assert_int_equal(n_told, 1);
	acks_up(a);
	assert_int_equal(n_told, 2);
	assert_string_equal(told.id, "100-1");
	assert_string_equal(told.sender, "alpha 7 1");
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

static void test_lost_is_told_again(void **state)
{
	(void)state;
	lost(false);
	lost(true);
}

/* A full Redis, a failover: or a sender waits for ever until the stream is shorter. */
static void test_refused_is_told_again(void **state)
{
	struct acks *a = fresh();

	(void)state;
	troubles = doubts = 0;
	batch(a, s, 1, 100);
	reply(REDIS_ERROR);
	assert_int_equal(troubles, 1);
	assert_int_equal(doubts, 0);
	assert_false(acks_idle(a));
	acks_tell(a);
	assert_int_equal(n_told, 2);
	assert_string_equal(told.id, "100-1");
	assert_string_equal(told.sender, "alpha 7 1");
	reply(REDIS_INT);
	assert_int_equal(troubles, 1);
	assert_true(acks_idle(a));
	end(a);
}

/* Said no more: until the inbox has been opened again, which only who has the name may do. */
static void test_another_reads_it(void **state)
{
	struct acks *a = fresh();

	(void)state;
	troubles = 0;
	batch(a, s, 1, 100);
	told.fn(told.arg, &(struct redis_reply){ .type = REDIS_INT, .integer = -1 });
	assert_int_equal(troubles, 1);
	assert_int_equal(doubts, 1);
	acks_tell(a);
	assert_int_equal(n_told, 1);
	acks_up(a);
	assert_int_equal(n_told, 2);
	assert_string_equal(told.sender, "alpha 7 1");
	end(a);
}

/* A Redis that took another's place has frames still that were handled: of this life, which their
 * sequence tells, and of those before. A life that was never heard of may be forged, and is no
 * reason to drop any of another where nothing is read twice. */
static void test_earlier_lives_are_known_again(void **state)
{
	(void)state;
	all = senders_new();
	s = sender_of(all, "alpha");
	for (uint64_t life = 1; life <= SENDER_LIVES + 1; life++)
		for (uint64_t n = 1; n <= 3; n++)
			assert_int_equal(sender_frame(s, life, n, false), SENDER_NEXT);
	for (uint64_t life = 1; life <= SENDER_LIVES + 1; life++)
		for (uint64_t n = 2; n <= 3; n++)
			assert_int_equal(sender_frame(s, life, n, true), SENDER_SEEN);
	assert_int_equal(sender_frame(s, SENDER_LIVES + 1, 4, true), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 99, 1, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, SENDER_LIVES + 1, 5, false), SENDER_NEXT);
	senders_free(all);
}

/* What is trimmed away of a sender and not known as seen would be taken again. */
static void test_all_senders_are_told_at_once(void **state)
{
	struct acks *a = fresh();
	struct batch *b = acks_begin(a);

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof name, "node %d", i);
		s = sender_of(all, name);
		assert_int_equal(sender_frame(s, 7, 1, false), SENDER_NEXT);
		batch_entry(b, &(struct id){ 100, 0 }, s);
	}
	acks_close(a, b);
	acks_tell(a);
	assert_int_equal(n_told, 1);
	assert_int_equal(told.argc, 8 + 2 * MANY);
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

/* The first is not handled, those behind it are. */
static struct batch *busy(struct acks *a)
{
	struct batch *b = acks_begin(a);

	assert_int_equal(sender_frame(s, 7, 1, false), SENDER_NEXT);
	batch_entry(b, &(struct id){ 100, 0 }, s);
	for (uint64_t n = 2; n <= MANY; n++)
		batch(a, s, n, 100 * n);
	return b;
}

/* What is handled behind one that is not leaves the stream, but for what may come again. */
static void test_handled_behind_a_busy_one(void **state)
{
	struct acks *a = fresh();
	struct batch *first = busy(a);
	char word[64];
	unsigned gone;

	(void)state;
	assert_true(acks_count(a) < MANY / 2);
	assert_int_equal(n_told, 1);
	assert_string_equal(told.id, "0-1");
	assert_string_equal(told.sender, "alpha 0 0 7 64");     /* of 64, the last stays */
	assert_memory_equal(told.swept, "200-0 300-0 ", 12);
	assert_non_null(strstr(told.swept, " 6400-0 "));
	assert_null(strstr(told.swept, "6500-0"));
	reply(REDIS_ERROR);
	acks_tell(a);
	assert_memory_equal(told.swept, "200-0 300-0 ", 12);    /* again, with more */
	gone = MANY - acks_count(a);
	snprintf(word, sizeof word, "alpha 0 0 7 %u", gone + 1);
	assert_string_equal(told.sender, word);
	reply(REDIS_INT);
	acks_close(a, first);
	acks_tell(a);
	snprintf(word, sizeof word, "%d-1", 100 * MANY);
	assert_string_equal(told.id, word);
	assert_string_equal(told.swept, "");
	snprintf(word, sizeof word, "alpha 7 %d", MANY);
	assert_string_equal(told.sender, word);
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

/* A Redis that has lost the first may have what was handled behind it as its only copy. */
static void test_nothing_is_swept_where_some_is_lost(void **state)
{
	struct acks *a = fresh();
	struct batch *first = busy(a);

	(void)state;
	reply(REDIS_INT);
	acks_anew(a);
	for (uint64_t n = 1; n <= MANY; n++) {
		struct batch *b = acks_begin(a);

		assert_int_equal(sender_frame(s, 7, n, true), SENDER_SEEN);
		batch_entry(b, &(struct id){ 100 * n, 0 }, NULL);
		acks_double(a, b, &(struct id){ 100 * n, 0 }, s, 7, n);
		acks_close(a, b);
	}
	n_told = 0;
	acks_tell(a);
	assert_int_equal(n_told, 0);
	acks_close(a, first);
	acks_tell(a);
	assert_int_equal(n_told, 1);
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

/* A double may be all that Redis has of a frame that is open: it goes when that does. */
static void test_a_double_stays_as_long_as_its_original(void **state)
{
	struct acks *a = fresh();
	struct batch *first = acks_begin(a), *original = acks_begin(a), *twin = acks_begin(a);

	(void)state;
	assert_int_equal(sender_frame(s, 7, 1, false), SENDER_NEXT);
	batch_entry(first, &(struct id){ 100, 0 }, s);
	assert_int_equal(sender_frame(s, 7, 2, false), SENDER_NEXT);
	batch_entry(original, &(struct id){ 200, 0 }, s);
	assert_int_equal(sender_frame(s, 7, 2, false), SENDER_SEEN);
	acks_double(a, twin, &(struct id){ 201, 0 }, s, 7, 2);
	batch_entry(twin, &(struct id){ 201, 0 }, NULL);
	acks_close(a, twin);
	acks_tell(a);
	assert_int_equal(n_told, 0);
	for (uint64_t n = 3; n <= MANY; n++) {
		batch(a, s, n, 100 * n);
		if (n_told)
			reply(REDIS_INT);
		assert_null(strstr(told.swept, "201-0"));
	}
	assert_int_not_equal(n_told, 0);
	acks_close(a, original);
	for (uint64_t n = 1; n <= MANY && !strstr(told.swept, "201-0 "); n++) {
		batch(a, s, MANY + n, 100 * (MANY + n));
		reply(REDIS_INT);
	}
	assert_non_null(strstr(told.swept, "201-0 200-0 "));
	acks_close(a, first);
	acks_tell(a);
	reply(REDIS_INT);
	assert_true(acks_idle(a));
	end(a);
}

/* The same, trimmed away from the front; and of one whose original is done already. */
static void test_a_double_leaves_behind_its_original(void **state)
{
	struct acks *a = fresh();
	struct batch *original = acks_begin(a), *twin = acks_begin(a), *late;

	(void)state;
	assert_int_equal(sender_frame(s, 7, 1, false), SENDER_NEXT);
	batch_entry(original, &(struct id){ 100, 0 }, s);
	acks_double(a, twin, &(struct id){ 101, 0 }, s, 7, 1);
	batch_entry(twin, &(struct id){ 101, 0 }, NULL);
	acks_close(a, twin);
	assert_int_equal(acks_count(a), 2);
	acks_close(a, original);
	assert_int_equal(acks_count(a), 0);
	acks_tell(a);
	assert_string_equal(told.id, "101-1");
	reply(REDIS_INT);
	late = acks_begin(a);
	acks_double(a, late, &(struct id){ 102, 0 }, s, 7, 1);
	acks_tell(a);
	assert_string_equal(told.swept, "102-0 ");
	reply(REDIS_INT);
	acks_close(a, late);
	end(a);
}

/* The next life finds holes in what one sender wrote, and knows how far they may be. */
static void test_holes_are_no_loss(void **state)
{
	(void)state;
	all = senders_new();
	s = sender_of(all, "alpha");
	*s = (struct sender){ .name = s->name, .life = 7, .last = 4, .done_life = 7, .done_last = 4,
	                      .gone_life = 7, .gone_last = 20 };
	assert_int_equal(sender_frame(s, 7, 5, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 7, 5, false), SENDER_SEEN);
	assert_int_equal(sender_frame(s, 7, 9, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 7, 8, false), SENDER_SEEN);
	assert_int_equal(sender_frame(s, 7, 21, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 7, 23, false), SENDER_GAP);
	senders_free(all);
}

static void heard_12(void)
{
	all = senders_new();
	s = sender_of(all, "alpha");
	for (uint64_t n = 1; n <= 12; n++)
		assert_int_equal(sender_frame(s, 1, n, false), SENDER_NEXT);
}

/* Redis has lost some: the rest is taken, is known when it comes again, and counts in the end. */
static void test_what_is_missing_is_told_once(void **state)
{
	uint64_t n = 14;

	(void)state;
	heard_12();
	assert_int_equal(sender_frame(s, 1, n, false), SENDER_GAP);
	for (; n < 14 + SENDER_TRUSTED; n++) {
		assert_int_equal(sender_frame(s, 1, n, false), SENDER_SEEN);
		assert_int_equal(sender_frame(s, 1, n + 1, false), SENDER_NEXT);
	}
	assert_int_equal(s->last, n);
	assert_int_equal(sender_frame(s, 1, 13, false), SENDER_SEEN);
	senders_free(all);
}

/* Whoever forges frames in another's name makes none of its own a double. */
static void test_forged_frames_hide_none(void **state)
{
	static const uint64_t forged[] = { 14, 15, 16, 5000, 5001, UINT64_MAX };

	(void)state;
	heard_12();
	for (size_t i = 0; i < ARRAY_LEN(forged); i++)
		sender_frame(s, 1, forged[i], false);
	for (uint64_t n = 13; n < 100; n++)
		assert_int_equal(sender_frame(s, 1, n, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 2, 5000, false), SENDER_GAP);  /* nor if it is the first */
	assert_int_equal(sender_frame(s, 2, 1, false), SENDER_NEXT);
	assert_int_equal(sender_frame(s, 1, 99, false), SENDER_SEEN);
	assert_int_equal(sender_frame(s, 1, 100, false), SENDER_NEXT);
	senders_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_lost_is_told_again),
		cmocka_unit_test(test_refused_is_told_again),
		cmocka_unit_test(test_another_reads_it),
		cmocka_unit_test(test_earlier_lives_are_known_again),
		cmocka_unit_test(test_all_senders_are_told_at_once),
		cmocka_unit_test(test_handled_behind_a_busy_one),
		cmocka_unit_test(test_nothing_is_swept_where_some_is_lost),
		cmocka_unit_test(test_a_double_stays_as_long_as_its_original),
		cmocka_unit_test(test_a_double_leaves_behind_its_original),
		cmocka_unit_test(test_holes_are_no_loss),
		cmocka_unit_test(test_what_is_missing_is_told_once),
		cmocka_unit_test(test_forged_frames_hide_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
