/* SPDX-License-Identifier: MIT
 * test_disk.c - keys and values over the real LMDB: what a change does, what is over when, what is
 * there after it was closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ports.h"

#include "../../runtime/store/disk.h"

enum { SIZE = 1 << 20 };

static char folder[] = "/tmp/test-disk-XXXXXX";
static int64_t now;

static int64_t test_ms(void *arg)
{
	(void)arg;
	return now;
}

static void put(const char *key, const char *value, int64_t ends_ms)
{
	disk_put(key, strlen(key), value, strlen(value), ends_ms);
}

static void is(const char *key, const char *value)
{
	struct packed p = { NULL, NULL };
	bool found;

	disk_read_begin();
	found = disk_find(key, strlen(key), &p, NULL);
	assert_int_equal(found, value != NULL);
	if (value) {
		assert_int_equal(p.end - p.at, strlen(value));
		assert_memory_equal(p.at, value, strlen(value));
	}
	disk_read_end();
}

static bool list(void *arg, const char *key, size_t len, struct packed value)
{
	buf_printf(arg, "%.*s=%.*s ", (int)len, key, (int)(value.end - value.at),
	           (const char *)value.at);
	return !strstr(((struct buf *)arg)->p, "stop");
}

static void lists(const char *prefix, const char *after, const char *expected)
{
	struct buf b = { 0 };

	disk_read_begin();
	disk_each(prefix, strlen(prefix), after, list, &b);
	disk_read_end();
	assert_string_equal(b.p ? b.p : "", expected);
	buf_fini(&b);
}

static void a_change_is_seen_by_itself_and_then_by_all(void **state)
{
	(void)state;
	assert_int_equal(disk_begin(), 0);
	put("a", "one", 0);
	is("a", "one");
	put("a", "two", 0);
	assert_true(disk_drop("a", 1));
	assert_false(disk_drop("a", 1));
	put("b", "", 0);
	assert_int_equal(disk_commit(), 0);
	assert_false(disk_changes());
	is("a", NULL);
	is("b", "");
}

static void in_the_order_of_the_keys(void **state)
{
	(void)state;
	assert_int_equal(disk_begin(), 0);
	put("k/2", "2", 0);
	put("k/1", "1", 0);
	put("k/3", "stop", 0);
	put("k/4", "4", 0);
	put("l", "l", 0);
	assert_int_equal(disk_commit(), 0);
	lists("k/", "", "k/1=1 k/2=2 k/3=stop ");
	lists("k/", "k/2", "k/2=2 k/3=stop ");
	lists("k/", "k/4", "k/4=4 ");
	lists("m", "", "");
}

/* One that is over is not there before it is swept; one that is set anew has the new end. */
static void over_at_its_end(void **state)
{
	int64_t ends = 0;
	struct packed p;

	(void)state;
	now = 1000;
	assert_int_equal(disk_begin(), 0);
	put("t/1", "x", 2000);
	put("t/2", "x", 3000);
	put("t/3", "x", 2000);
	put("t/3", "x", 0);
	assert_int_equal(disk_commit(), 0);
	disk_read_begin();
	assert_true(disk_find("t/1", 3, &p, &ends));
	disk_read_end();
	assert_int_equal(ends, 2000);
	lists("t/", "", "t/1=x t/2=x t/3=x ");
	now = 2000;
	lists("t/", "", "t/2=x t/3=x ");
	now = 9000;
	assert_int_equal(disk_begin(), 0);
	disk_sweep(1);
	assert_false(disk_drop("t/1", 3));      /* the oldest */
	assert_true(disk_drop("t/2", 3));
	disk_sweep(1000);
	assert_int_equal(disk_commit(), 0);
	lists("t/", "", "t/3=x ");
}

/* What does not fit is an error of the whole change, and of nothing before or after it. */
static void all_of_it_or_nothing(void **state)
{
	static char much[SIZE];

	(void)state;
	assert_int_equal(disk_begin(), 0);
	put("n/1", "x", 0);
	disk_put("n/2", 3, much, sizeof much, 0);
	put("n/3", "x", 0);
	assert_string_equal(disk_words(disk_commit()), "the store is full");
	lists("n/", "", "");
	assert_int_equal(disk_begin(), 0);
	put("n/3", "x", 0);
	assert_int_equal(disk_commit(), 0);
	lists("n/", "", "n/3=x ");
}

static void there_when_it_is_opened_again(void **state)
{
	struct why why = { "" };

	(void)state;
	assert_int_equal(disk_begin(), 0);
	put("kept", "x", 0);
	assert_int_equal(disk_commit(), 0);
	assert_int_equal(disk_begin(), 0);
	put("not kept", "x", 0);
	disk_drop("kept", 4);
	disk_close();                           /* in the middle of a change */
	assert_int_equal(disk_open(folder, SIZE, &why), 0);
	is("kept", "x");
	is("not kept", NULL);
}

static int begin(void **state)
{
	struct why why = { "" };

	(void)state;
	ports.clock.wall_ms = test_ms;
	return mkdtemp(folder) ? disk_open(folder, SIZE, &why) : -1;
}

static int end(void **state)
{
	static const char *const names[] = { "/store/data.mdb", "/store/lock.mdb", "/store", "" };
	char path[100];
	int rc = 0;

	(void)state;
	disk_close();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", folder, names[i]);
		rc |= remove(path);
	}
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_seen_by_itself_and_then_by_all),
		cmocka_unit_test(in_the_order_of_the_keys),
		cmocka_unit_test(over_at_its_end),
		cmocka_unit_test(all_of_it_or_nothing),
		cmocka_unit_test(there_when_it_is_opened_again),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
