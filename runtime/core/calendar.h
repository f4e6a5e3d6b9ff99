/* SPDX-License-Identifier: MIT
 * calendar.h - when a repeated timer comes next: by period, by a period between two dates,
 * by a crontab's line.
 *
 * A crontab's five fields are minute, hour, day of the month, month, day of the week, each
 * a `*`, a number, a range `a-b` or a list of these, with a step `/n`; months and days by
 * name too, Sunday 0 or 7. Where both days are restricted, either will do. Times are local
 * ones (zone.h).
 *
 * When clocks are put forward, what would have come in the hour that is left out comes
 * right after it; when they are put back, what came in the hour that is repeated does not
 * come twice. A line whose minute or hour begins with `*` goes by the clock instead: it has
 * nothing in the first case, and goes on in the second. When the clock itself is set back
 * by more than a correction (three hours; by the clock: a minute), times come again. */
#ifndef CALENDAR_H
#define CALENDAR_H

#include "base.h"

struct cron {
	uint64_t minute;                /* a bit each that will do */
	uint32_t hour, day;             /* days from 1 */
	uint16_t month, weekday;        /* from 1; from Sunday, 0 */
	bool any_day, any_weekday, by_clock;
};

/* ACTOR_EARGS with why: what it is that cannot be read, or that such a time never comes. */
int cron_parse(struct cron *c, const char *text, struct why *why);
/* The first moment after after_s, in seconds UTC as it is: INT64_MAX when none comes within
 * ten years. */
int64_t cron_next(const struct cron *c, int64_t after_s);

/* "2006-01-02 15:04:05", local time, or its date alone, to ms UTC; empty or NULL: otherwise. */
int moment_parse(const char *text, int64_t otherwise_ms, int64_t *ms, struct why *why);

/* A repeated timer. Moments are of two clocks: one goes on evenly, one is set by people. */
struct plan {
	int64_t period_ms;              /* 0: by cron */
	int64_t first_ms, last_ms;      /* wall: not before, not after */
	int64_t due_ms;                 /* even */
	int64_t wall_ms;                /* when the wall clock shows this; 0: does not matter */
	int64_t ran_ms;                 /* cron: the moment that it came for last */
	struct cron cron;
};
enum { PLAN_OVER = -1, PLAN_EARLY = 0, PLAN_DUE = 1 };
/* PLAN_OVER: the last moment has passed already. Else the first time is in due_ms. */
int plan_begin(struct plan *p, int64_t now_ms, int64_t wall_ms);
/* Is it due? Either way the next time is in due_ms. Times that were missed come once. */
int plan_look(struct plan *p, int64_t now_ms, int64_t wall_ms);

#endif
