/* SPDX-License-Identifier: MIT
 * test_calendar.c - crontab lines against a search minute by minute, hours left out and
 * repeated, dates, clocks that are set, periods between two dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../runtime/actor.h"
#include "calendar.h"
#include "seeded.h"

/* Without a database of zones: Central Europe, and New South Wales (south, half the year
 * the other way). */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define SYDNEY "AEST-10AEDT,M10.1.0,M4.1.0/3"

static void zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

static struct cron parsed(const char *line)
{
	struct why why = { "" };
	struct cron c;

	if (cron_parse(&c, line, &why) < 0)
		fail_msg("%s: %s", line, why.text);
	return c;
}

/* When it comes after `utc`, in local words. */
static const char *next(const char *line, const char *utc)
{
	static char text[64];
	struct cron c = parsed(line);
	struct tm tm = { 0 };
	int64_t at;
	time_t t;

	assert_non_null(strptime(utc, "%Y-%m-%d %H:%M:%S", &tm));
	at = cron_next(&c, timegm(&tm));
	assert_true(at != INT64_MAX);
	t = (time_t)at;
	strftime(text, sizeof text, "%Y-%m-%d %H:%M %z", localtime_r(&t, &tm));
	return text;
}

static void test_lines(void **state)
{
	static const char *const t[][3] = {
		{ "* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01 +0000" },
		{ "* * * * *", "2026-01-01 00:00:59", "2026-01-01 00:01 +0000" },
		{ "*/5 * * * *", "2026-01-01 00:05:00", "2026-01-01 00:10 +0000" },
		{ "59 23 31 12 *", "2026-01-01 00:00:00", "2026-12-31 23:59 +0000" },
		{ "0 9-17/4 * * Mon-Fri", "2026-11-20 17:00:00", "2026-11-23 09:00 +0000" },
		{ "0 9-17/4 * * 1-5", "2026-11-20 09:00:01", "2026-11-20 13:00 +0000" },
		{ "30 4 1,15 * 5", "2026-11-22 00:00:00", "2026-11-27 04:30 +0000" },
		{ "30 4 1,15 * *", "2026-11-22 00:00:00", "2026-12-01 04:30 +0000" },
		{ "0 0 * * 7", "2026-11-22 00:00:00", "2026-11-29 00:00 +0000" },
		{ "0 0 * * 5-7", "2026-11-21 00:00:00", "2026-11-22 00:00 +0000" },
		{ "0 0 * jan-mar,dec sat", "2026-11-22 00:00:00", "2026-12-05 00:00 +0000" },
		{ "0 0 29 2 *", "2026-11-22 00:00:00", "2028-02-29 00:00 +0000" },
		{ "0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00 +0000" },
		{ "50/5 1 * * *", "2026-01-01 01:51:00", "2026-01-01 01:55 +0000" },
		{ "0 0 1 1 *", "2326-06-01 00:00:00", "2327-01-01 00:00 +0000" },
		{ "0 0 1 1 *", "1966-06-01 00:00:00", "1967-01-01 00:00 +0000" },
		{ "\t0  0\t1 1 * ", "2026-01-01 00:00:00", "2027-01-01 00:00 +0000" },
	};

	(void)state;
	zone("UTC0");
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_string_equal(next(t[i][0], t[i][1]), t[i][2]);
}

static void test_no_lines(void **state)
{
	static const char *const t[][2] = {
		{ "", "five fields" },
		{ "* * * *", "there are 4" },
		{ "* * * * * *", "there is more" },
		{ "60 * * * *", "minute: 60 is not within 0 to 59" },
		{ "* 24 * * *", "hour" },
		{ "* * 0 * *", "day of the month: 0" },
		{ "* * * 13 *", "month" },
		{ "* * * * 8", "day of the week" },
		{ "5-1 * * * *", "backwards" },
		{ "*/0 * * * *", "step" },
		{ "*/-1 * * * *", "step" },
		{ "*/ * * * *", "step" },
		{ "a * * * *", "wants a number, has" },
		{ "* * * foo *", "or a name" },
		{ "1, * * * *", "wants a number" },
		{ "1;2 * * * *", "not understood" },
		{ "1-2-3 * * * *", "not" },
		{ "0 0 30 2 *", "no such day" },
		{ "0 0 31 4,6,9,11 *", "no such day" },
		{ "-1 * * * *", "wants" },
		{ "99999999999999999999 * * * *", "not within" },
		{ "* * * january *", "not understood" },
		{ "@daily", "wants a number" },
	};
	struct cron c;
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(cron_parse(&c, t[i][0], &why), ACTOR_EARGS);
		if (!strstr(why.text, t[i][1]))
			fail_msg("%s: %s", t[i][0], why.text);
	}
}

/* By the definition: does the clock show what the line says? */
static bool shows(const struct cron *c, time_t t)
{
	struct tm tm;
	bool day, weekday;

	localtime_r(&t, &tm);
	day = c->day >> tm.tm_mday & 1;
	weekday = c->weekday >> tm.tm_wday & 1;
	return c->minute >> tm.tm_min & 1 && c->hour >> tm.tm_hour & 1 &&
	       c->month >> (tm.tm_mon + 1) & 1 &&
	       (c->any_day || c->any_weekday ? day && weekday : day || weekday);
}

static void test_by_search(void **state)
{
	static const char *const zones[] = { "UTC0", BERLIN, SYDNEY, "NFT+3:30" };
	unsigned rounds = seeded_begin("by search", 300);

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		char line[96];
		struct cron c;
		int64_t at = 1700000000 + seeded(400 * 86400), want = at / 60 * 60 + 60;

		zone(zones[seeded(4)]);
		snprintf(line, sizeof line, "*/%u %u-23/%u */%u * %u-%u", 1 + seeded(40),
		         seeded(20), 1 + seeded(5), 1 + seeded(9), seeded(4), 4 + seeded(4));
		c = parsed(line);
		while (want < at + 40 * 86400 && !shows(&c, (time_t)want))
			want += 60;
		if (want < at + 40 * 86400 && cron_next(&c, at) != want)
			fail_msg("%s after %ld in %s: %ld, not %ld", line, (long)at, getenv("TZ"),
			         (long)cron_next(&c, at), (long)want);
	}
}

/* 2026-03-29 02:00 becomes 03:00 in Berlin; 2026-10-25 03:00 becomes 02:00. */
static void test_hours_left_out_and_repeated(void **state)
{
	static const char *const t[][3] = {
		{ "30 2 * * *", "2026-03-28 12:00:00", "2026-03-29 03:00 +0200" },
		{ "30 2 * * *", "2026-03-29 00:59:58", "2026-03-29 03:00 +0200" },
		{ "30 2 * * *", "2026-03-29 01:00:00", "2026-03-30 02:30 +0200" },
		{ "0 3 * * *", "2026-03-28 12:00:00", "2026-03-29 03:00 +0200" },
		{ "0 3 * * *", "2026-03-29 01:00:00", "2026-03-30 03:00 +0200" },
		{ "*/30 * * * *", "2026-03-29 00:30:00", "2026-03-29 03:00 +0200" },
		{ "30 * * * *", "2026-03-29 00:30:00", "2026-03-29 03:30 +0200" },
		{ "30 2 * * *", "2026-10-24 12:00:00", "2026-10-25 02:30 +0200" },
		{ "30 2 * * *", "2026-10-25 00:30:00", "2026-10-26 02:30 +0100" },
		{ "30 2 * * *", "2026-10-25 01:10:00", "2026-10-26 02:30 +0100" },
		{ "*/30 * * * *", "2026-10-25 00:30:00", "2026-10-25 02:00 +0100" },
		{ "*/30 2 * * *", "2026-10-25 01:00:00", "2026-10-25 02:30 +0100" },
		{ "30 2 * * *", "2026-10-25 00:59:59", "2026-10-26 02:30 +0100" },
		{ "0 2 * * *", "2026-10-24 23:59:59", "2026-10-25 02:00 +0200" },
		{ "0 2 * * *", "2026-10-25 00:59:59", "2026-10-26 02:00 +0100" },
		{ "0 3 * * *", "2026-10-25 00:59:00", "2026-10-25 03:00 +0100" },
		{ "59 2 * * *", "2026-10-25 00:58:00", "2026-10-25 02:59 +0200" },
		{ "15 2 29 3 *", "2026-01-01 00:00:00", "2026-03-29 03:00 +0200" },
		{ "15 2 25 10 *", "2026-01-01 00:00:00", "2026-10-25 02:15 +0200" },
	};

	(void)state;
	zone(BERLIN);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_string_equal(next(t[i][0], t[i][1]), t[i][2]);
}

static void test_moments(void **state)
{
	static const char *const bad[] = { "soon",
		                           "2006-01-02T15:04:05",
		                           "2006-02-30",
		                           "2006-13-01",
		                           "2006-01-02 24:00:00",
		                           "2006-01-02 10:60:00",
		                           "2006-01-02 10:00",
		                           "2006-01-02 15:04:05 ",
		                           "02.01.2006",
		                           "2006-00-10" };
	struct why why;
	int64_t ms;

	(void)state;
	zone("BST-1");
	assert_int_equal(moment_parse("2006-01-02 15:04:05", 0, &ms, &why), 0);
	assert_int_equal(ms, 1136210645000);
	assert_int_equal(moment_parse("3006-01-02 15:04:05", 0, &ms, &why), 0);
	assert_int_equal(ms, 32693119445000);
	assert_int_equal(moment_parse("1970-01-01", 0, &ms, &why), 0);
	assert_int_equal(ms, -3600000);
	assert_int_equal(moment_parse("", 7, &ms, &why), 0);
	assert_int_equal(ms, 7);
	assert_int_equal(moment_parse(NULL, 8, &ms, &why), 0);
	assert_int_equal(ms, 8);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(moment_parse(bad[i], 0, &ms, &why), ACTOR_EARGS);
		assert_non_null(strstr(why.text, bad[i]));
	}
}

/* Noon of a day in the even clock's and people's time; what a plan does while both go on. */
enum { EVEN = 5000000 };
static const int64_t NOON = 1774785600000;      /* 2026-03-29 12:00 UTC */

static void test_set_clocks(void **state)
{
	struct plan p = { .cron = parsed("0 13 * * *") };

	(void)state;
	zone("UTC0");
	assert_int_equal(plan_begin(&p, EVEN, NOON), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 3600000);
	/* Half an hour forward, then a day: it comes once. */
	assert_int_equal(plan_look(&p, EVEN + 1000, NOON + 1801000), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 1000 + 1799000);
	assert_int_equal(plan_look(&p, EVEN + 2000, NOON + 86400000), PLAN_DUE);
	assert_int_equal(p.due_ms, EVEN + 2000 + 3600000);
	/* Comes at 13:00, is set back to 12:59:50: not again; three hours and more: again. */
	assert_int_equal(plan_look(&p, EVEN + 3602000, NOON + 86400000 + 3600000), PLAN_DUE);
	assert_int_equal(plan_look(&p, EVEN + 3603000, NOON + 86400000 + 3590000), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 3603000 + 86400000 + 10000);
	assert_int_equal(plan_look(&p, EVEN + 3604000, NOON + 86400000 - 14400000), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 3604000 + 14400000 + 3600000);
}

static void test_set_clocks_by_the_clock(void **state)
{
	struct plan p = { .cron = parsed("* * * * *") };

	(void)state;
	zone("UTC0");
	plan_begin(&p, EVEN, NOON);
	assert_int_equal(plan_look(&p, EVEN + 60000, NOON + 60000), PLAN_DUE);
	assert_int_equal(plan_look(&p, EVEN + 61000, NOON + 59000), PLAN_EARLY); /* a correction */
	assert_int_equal(p.due_ms, EVEN + 61000 + 61000);
	assert_int_equal(plan_look(&p, EVEN + 62000, NOON - 3600000), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 62000 + 60000);
}

static void test_periods(void **state)
{
	struct plan p = { .period_ms = 10, .first_ms = NOON + 1000, .last_ms = NOON + 2000 },
		    over = p;

	(void)state;
	assert_int_equal(plan_begin(&over, EVEN, NOON + 2001), PLAN_OVER);
	assert_int_equal(plan_begin(&p, EVEN, NOON), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 1000);
	assert_int_equal(plan_look(&p, EVEN + 999, NOON + 999), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + 1000);
	assert_int_equal(plan_look(&p, EVEN + 1000, NOON + 1000), PLAN_DUE);
	assert_int_equal(p.due_ms, EVEN + 1010);
	assert_int_equal(plan_look(&p, EVEN + 1005, NOON + 1005), PLAN_EARLY);
	assert_int_equal(plan_look(&p, EVEN + 1057, NOON + 1057),
	                 PLAN_DUE); /* five came together */
	assert_int_equal(p.due_ms, EVEN + 1060);
	assert_int_equal(plan_look(&p, EVEN + 1060, NOON + 2000), PLAN_DUE);
	assert_int_equal(plan_look(&p, EVEN + 1070, NOON + 500),
	                 PLAN_EARLY); /* set back to before the first */
	assert_int_equal(p.due_ms, EVEN + 1070 + 500);
	assert_int_equal(plan_look(&p, EVEN + 1600, NOON + 2001), PLAN_OVER);
}

static void test_far_periods(void **state)
{
	struct plan p = { .period_ms = INT64_MAX, .first_ms = INT64_MIN, .last_ms = INT64_MAX };
	const int64_t years = 300ll * 365 * 86400000;

	(void)state;
	assert_int_equal(plan_begin(&p, EVEN, NOON), PLAN_EARLY);
	assert_int_equal(p.due_ms, INT64_MAX);
	p = (struct plan){ .period_ms = 1000, .first_ms = NOON + years, .last_ms = INT64_MAX };
	assert_int_equal(plan_begin(&p, EVEN, NOON), PLAN_EARLY);
	assert_int_equal(p.due_ms, EVEN + years);
	assert_int_equal(plan_look(&p, EVEN + years, NOON + years), PLAN_DUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_no_lines),
		cmocka_unit_test(test_by_search),
		cmocka_unit_test(test_hours_left_out_and_repeated),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_set_clocks),
		cmocka_unit_test(test_set_clocks_by_the_clock),
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_far_periods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
