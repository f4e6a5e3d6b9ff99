/* SPDX-License-Identifier: MIT
 * test_log.c - what is kept of the log: the last lines, from any thread, as they were written. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "log.h"

static struct log_kept k;

static void test_read(void **state)
{
	(void)state;
	log_line(LOG_WARN, "here", "one\ntwo");
	assert_true(log_read(log_newest(), &k));
	assert_int_equal(k.level, LOG_WARN);
	assert_string_equal(k.room, "here");
	assert_string_equal(k.line + k.text, "one\\ntwo");
	assert_int_equal(k.line[LOG_TIME - 1], 'Z');
	assert_false(log_read(0, &k));
	assert_false(log_read(log_newest() + 1, &k));
	log_line(LOG_DEBUG, "here", "not logged, so not kept");
	assert_true(log_read(log_newest(), &k) && k.level == LOG_WARN);
}

static void test_long(void **state)
{
	static char text[2 * LOG_LINE];
	char room[200];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	memset(room, 'r', sizeof room - 1);
	room[sizeof room - 1] = 0;
	log_line(LOG_INFO, room, "%s", text);
	assert_true(log_read(log_newest(), &k));
	assert_non_null(strstr(k.line, "[cut]"));
	assert_true(strlen(k.line) < LOG_LINE);
}

static _Atomic int said;
static _Atomic bool heard;

static void *chatter(void *arg)
{
	for (; !heard; said++)
		log_line(LOG_INFO, arg, "%s %d", (char *)arg, said);
	return NULL;
}

/* Whatever is read is one line, whole. */
static void test_threads(void **state)
{
	static char names[2][8] = { "left", "right" };
	pthread_t thread[2];
	uint64_t before = log_newest();
	int seen = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, chatter, names[i]);
	while (seen < 200)
		if (log_read(log_newest(), &k) && k.number > before) {
			assert_memory_equal(k.line + k.text, k.room, strlen(k.room));
			seen++;
		}
	heard = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	/* Who could not get in was not kept waiting; the next that does counts those lines. */
	log_line(LOG_INFO, "here", "alone");
	assert_int_equal(log_newest() - before, said + 1);
}

/* The last so many; one that is alone gets in. */
static void test_kept(void **state)
{
	uint64_t before = log_newest(), end;

	(void)state;
	for (int i = 0; i <= LOG_KEPT; i++)
		log_line(LOG_INFO, "here", "%d", i);
	end = log_newest();
	assert_int_equal(end, before + LOG_KEPT + 1);
	assert_int_equal(log_oldest(), end - LOG_KEPT + 1);
	assert_true(log_read(end - LOG_KEPT + 1, &k));
	assert_string_equal(k.line + k.text, "1");
	assert_false(log_read(end - LOG_KEPT, &k));
}

/* Of long lines as many as there is room for, each whole, round and round. */
static void test_kept_bytes(void **state)
{
	enum { LINES = 300, LEN = 1000 };
	char text[LEN + 1] = "";
	uint64_t end;

	(void)state;
	for (int i = 0; i < LINES; i++) {
		memset(text, 'a' + i % 26, LEN - (size_t)i);
		text[LEN - i] = 0;
		log_line(LOG_INFO, "here", "%s", text);
	}
	end = log_newest();
	assert_true(end - log_oldest() < LOG_BYTES / (LEN - LINES));
	assert_true(end - log_oldest() >= LOG_BYTES / (LEN + 100));
	for (uint64_t n = log_oldest(); n <= end; n++) {
		int i = LINES - 1 - (int)(end - n);

		assert_true(log_read(n, &k));
		assert_int_equal(strlen(k.line + k.text), LEN - i);
		assert_int_equal(k.line[k.text], 'a' + i % 26);
		assert_int_equal(k.line[strlen(k.line) - 1], 'a' + i % 26);
		assert_string_equal(k.room, "here");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_kept_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
