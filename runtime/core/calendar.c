/* SPDX-License-Identifier: MIT
 * calendar.c - crontab lines, dates, and what comes next.
 *
 * Searching goes through local time as a count of minutes, by days that will do; the time
 * zone is asked only for its offset at a moment, so that a change of it between now and
 * then can be found and treated. No thread. */
#include "calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "../actor.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, DAYS_AHEAD = 3660 };

/* --- a line ------------------------------------------------------------------- */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
	                                   "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

static const struct field {
	const char *title;
	int low, high;
	const char *const *names;       /* of low and up */
} fields[] = {
	{ "minute", 0, 59, NULL }, { "hour", 0, 23, NULL }, { "day of the month", 1, 31, NULL },
	{ "month", 1, 12, month_names }, { "day of the week", 0, 7, day_names },
};

static int field_number(const struct field *f, const char **at, struct why *why)
{
	long v = 0;
	char *end;

	for (int i = 0; f->names && f->names[i]; i++)
		if (!strncasecmp(*at, f->names[i], 3)) {
			*at += 3;
			return f->low + i;
		}
	if (**at < '0' || **at > '9')
		return why_set(why, ACTOR_EARGS, "%s: wants a number%s, has `%.16s`", f->title,
		               f->names ? " or a name" : "", *at);
	v = strtol(*at, &end, 10);
	if (v < f->low || v > f->high || end - *at > 4)
		return why_set(why, ACTOR_EARGS, "%s: %.*s is not within %d to %d", f->title,
		               (int)(end - *at), *at, f->low, f->high);
	*at = end;
	return (int)v;
}

/* One of a list: `*`, a, a-b, with /n. a/n goes on to the field's end. */
static int field_part(const struct field *f, const char **at, uint64_t *bits, struct why *why)
{
	int from = f->low, to = f->high == 7 ? 6 : f->high;
	long step = 1;
	char *end;

	if (**at == '*') {
		++*at;
	} else {
		if ((from = field_number(f, at, why)) < 0)
			return from;
		if (**at == '-') {
			++*at;
			if ((to = field_number(f, at, why)) < 0)
				return to;
		} else if (**at != '/') {
			to = from;
		}
	}
	if (**at == '/') {
		step = strtol(*at + 1, &end, 10);
		if (step < 1 || step > 1000 || end == *at + 1)
			return why_set(why, ACTOR_EARGS, "%s: a step is a number from 1 on",
			               f->title);
		*at = end;
	}
	if (to < from)
		return why_set(why, ACTOR_EARGS, "%s: %d-%d goes backwards", f->title, from, to);
	for (long i = from; i <= to; i += step)
		*bits |= 1ull << i;
	return 0;
}

static int field_read(const struct field *f, const char **at, uint64_t *bits, struct why *why)
{
	int rc;

	*bits = 0;
	do {
		*at += **at == ',';
		rc = field_part(f, at, bits, why);
	} while (!rc && **at == ',');
	if (!rc && **at && !strchr(" \t", **at))
		return why_set(why, ACTOR_EARGS, "%s: `%.16s` is not understood", f->title, *at);
	return rc;
}

int cron_parse(struct cron *c, const char *text, struct why *why)
{
	const char *at = text;
	uint64_t bits[ARRAY_LEN(fields)];
	bool star[ARRAY_LEN(fields)];
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		at += strspn(at, " \t");
		if (!*at)
			return why_set(why, ACTOR_EARGS,
			               "`%.64s`: five fields are wanted, there are %zu", text, i);
		star[i] = *at == '*';
		rc = field_read(&fields[i], &at, &bits[i], why);
		if (rc < 0)
			return rc;
	}
	if (at[strspn(at, " \t")])
		return why_set(why, ACTOR_EARGS, "`%.64s`: five fields are wanted, there is more",
		               text);
	bits[4] |= bits[4] >> 7 & 1;            /* Sunday, by its other number */
	*c = (struct cron){ .minute = bits[0], .hour = (uint32_t)bits[1],
	                    .day = (uint32_t)bits[2], .month = (uint16_t)bits[3],
	                    .weekday = bits[4] & 0x7f, .any_day = star[2],
	                    .any_weekday = star[4], .by_clock = star[0] || star[1] };
	if (cron_next(c, 0) == INT64_MAX)
		return why_set(why, ACTOR_EARGS, "`%.64s`: there is no such day", text);
	return 0;
}

/* --- local time as a count ---------------------------------------------------- */

/* Days since 1970 to a date. Source: Howard Hinnant, "chrono-compatible low-level date
 * algorithms", 2013. */
static void date_of(int64_t days, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
}

static int64_t floor_to(int64_t v, int64_t unit)
{
	return v - (v % unit + unit) % unit;
}

static bool day_fits(const struct cron *c, int64_t days)
{
	int month, day, weekday = (int)(((days + 4) % 7 + 7) % 7);
	bool by_day, by_weekday;

	date_of(days, &month, &day);
	if (!(c->month >> month & 1))
		return false;
	by_day = c->day >> day & 1;
	by_weekday = c->weekday >> weekday & 1;
	return c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first local second from `from` on that fits, or INT64_MAX. */
static int64_t match(const struct cron *c, int64_t from)
{
	int64_t day = floor_to(from, DAY), at = from - day;

	for (int i = 0; i < DAYS_AHEAD; i++, day += DAY, at = 0) {
		if (!day_fits(c, day / DAY))
			continue;
		for (int64_t hour = at / HOUR; hour < 24; hour++) {
			int64_t first = hour == at / HOUR ? at % HOUR / MINUTE : 0;
			uint64_t rest = c->minute >> first << first;

			if (c->hour >> hour & 1 && rest)
				return day + hour * HOUR + __builtin_ctzll(rest) * MINUTE;
		}
	}
	return INT64_MAX;
}

/* --- the time zone ------------------------------------------------------------ */

static int64_t offset_at(int64_t utc_s)
{
	time_t t = (time_t)utc_s;
	struct tm tm;

	return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/* The first moment after from, at most to, at which the offset is not `offset` any more, or
 * INT64_MAX. */
static int64_t change_between(int64_t from, int64_t to, int64_t offset)
{
	int64_t low = from, high = from;

	while (high < to) {
		low = high;
		high = high + DAY < to ? high + DAY : to;
		if (offset_at(high) == offset)
			continue;
		while (high - low > 1) {
			int64_t middle = low + (high - low) / 2;

			*(offset_at(middle) == offset ? &low : &high) = middle;
		}
		return high;
	}
	return INT64_MAX;
}

/* Did clocks show the same once before, as they have been put back since? */
static bool is_repeat(int64_t utc, int64_t offset)
{
	int64_t before = offset_at(utc - DAY);

	return before > offset && offset_at(utc + offset - before) == before;
}

int64_t cron_next(const struct cron *c, int64_t after_s)
{
	int64_t t = after_s, limit = t + (int64_t)DAYS_AHEAD * DAY, offset = offset_at(t);
	int64_t from = floor_to(t + offset, MINUTE) + MINUTE;

	while (t < limit) {
		int64_t local = match(c, from), change, later;

		if (local == INT64_MAX)
			break;
		change = change_between(t, local - offset, offset);
		if (change == INT64_MAX) {
			if (c->by_clock || !is_repeat(local - offset, offset))
				return local - offset;
			t = local - offset;
			from = local + MINUTE;
			continue;
		}
		later = offset_at(change);
		if (!c->by_clock && later > offset && local < change + later)
			return change;          /* it lies in what was left out */
		t = change;
		offset = later;
		from = floor_to(t + offset + MINUTE - 1, MINUTE);
	}
	return INT64_MAX;
}

/* --- dates -------------------------------------------------------------------- */

int moment_parse(const char *text, int64_t otherwise_ms, int64_t *ms, struct why *why)
{
	struct tm tm = { .tm_isdst = -1 }, asked;
	int n = 0, count;
	time_t t;

	*ms = otherwise_ms;
	if (!text || !*text)
		return 0;
	count = sscanf(text, "%4d-%2d-%2d%n %2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
	               &n, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n);
	if ((count != 3 && count != 6) || text[n])
		return why_set(why, ACTOR_EARGS, "`%.40s` is no moment like 2006-01-02 15:04:05",
		               text);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	asked = tm;
	t = mktime(&tm);
	if (tm.tm_mday != asked.tm_mday || tm.tm_mon != asked.tm_mon || asked.tm_hour > 23 ||
	    asked.tm_min > 59 || asked.tm_sec > 60)
		return why_set(why, ACTOR_EARGS, "there is no `%.40s`", text);
	*ms = (int64_t)t * 1000;
	return 0;
}

/* --- plans -------------------------------------------------------------------- */

/* a + b, which may be 300 years and more. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void plan_cron(struct plan *p, int64_t after_ms, int64_t now_ms, int64_t wall_ms)
{
	int64_t next = cron_next(&p->cron, after_ms / 1000);

	p->wall_ms = next == INT64_MAX ? next : next * 1000;
	p->due_ms = next == INT64_MAX ? next : add(now_ms, p->wall_ms - wall_ms);
}

/* For its first moment. */
static void plan_wait(struct plan *p, int64_t now_ms, int64_t wall_ms)
{
	p->wall_ms = p->first_ms;
	p->due_ms = add(now_ms, p->first_ms - wall_ms);
}

int plan_begin(struct plan *p, int64_t now_ms, int64_t wall_ms)
{
	if (!p->period_ms) {
		plan_cron(p, wall_ms, now_ms, wall_ms);
		return PLAN_EARLY;
	}
	if (p->last_ms < wall_ms)
		return PLAN_OVER;
	p->wall_ms = 0;
	p->due_ms = add(now_ms, p->period_ms);
	if (p->first_ms > wall_ms)
		plan_wait(p, now_ms, wall_ms);
	return PLAN_EARLY;
}

/* What was waited for is what comes next, if nobody has set the clock. */
static int look_cron(struct plan *p, int64_t now_ms, int64_t wall_ms)
{
	int64_t correction = (p->cron.by_clock ? MINUTE : 3 * HOUR) * 1000;
	int64_t after = wall_ms;
	bool due = wall_ms >= p->wall_ms;

	if (due)
		p->ran_ms = p->wall_ms;
	else if (p->ran_ms > wall_ms && p->ran_ms - wall_ms <= correction)
		after = p->ran_ms;
	plan_cron(p, after, now_ms, wall_ms);
	return due ? PLAN_DUE : PLAN_EARLY;
}

int plan_look(struct plan *p, int64_t now_ms, int64_t wall_ms)
{
	if (!p->period_ms)
		return look_cron(p, now_ms, wall_ms);
	if (wall_ms > p->last_ms)
		return PLAN_OVER;
	if (wall_ms < p->first_ms) {
		plan_wait(p, now_ms, wall_ms);
		return PLAN_EARLY;
	}
	if (p->wall_ms) {
		p->wall_ms = 0;
		p->due_ms = now_ms;
	}
	if (now_ms < p->due_ms)
		return PLAN_EARLY;
	p->due_ms = add(p->due_ms, ((now_ms - p->due_ms) / p->period_ms + 1) * p->period_ms);
	return PLAN_DUE;
}
