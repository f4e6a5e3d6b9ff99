/* SPDX-License-Identifier: MIT
 * deadline.c - the shared wheel, and who turns it.
 *
 * While anything waits for a moment of the wall clock, the wheel looks once a second
 * whether that was set. */
#include "deadline.h"

#include <pthread.h>
#include <time.h>

#include "ports.h"
#include "timer.h"

enum {
	LOOK_MS = 1000,
	STEP_MS = 200
}; /* a clock that is only corrected does not move so far in a second */

struct timer_entry {
	struct timer timer;             /* first: a timer is its entry */
	uint64_t actor;
	int64_t number;
	uint16_t fn;
	bool clocked;
	struct timer_entry *next, *prev;        /* unused ones; those that are clocked */
};

_Alignas(128) _Atomic int64_t deadline_seen;

static struct {
	_Alignas(128) pthread_mutex_t lock;
	struct timers wheel;
	struct timer_entry *unused, *clocked;
	uint32_t clocked_count;
	struct timer look;              /* at the wall clock */
	int64_t ahead;                  /* the wall clock is of the other one */
	int64_t looked;                 /* the moment the loop will look again, ms */
	void (*earlier)(void *arg);
	void *arg;
} deadlines = { .lock = PTHREAD_MUTEX_INITIALIZER };

void deadline_init(void)
{
	struct timer *x;

	/* What an earlier start left behind is not lost. */
	while (deadlines.wheel.count && (x = timers_take(&deadlines.wheel, INT64_MAX - 1)))
		if (x != &deadlines.look) {
			struct timer_entry *e = (struct timer_entry *)x;

			e->next = deadlines.unused;
			deadlines.unused = e;
		}
	deadlines.clocked = NULL;
	deadlines.clocked_count = 0;
	tzset();                        /* reads a file: not on a worker */
	timers_init(&deadlines.wheel, now_ms());
	STORE(&deadline_seen, now_ms());
	deadlines.looked = INT64_MAX;
}

void core_on_earlier_timer(void (*earlier)(void *), void *arg)
{
	deadlines.earlier = earlier;
	deadlines.arg = arg;
}

static void seen(int64_t ms)
{
	if (LOAD(&deadline_seen) < ms)
		STORE(&deadline_seen, ms);
}

int64_t deadline_in(int64_t ms)
{
	int64_t ns = now_ns(), due;

	seen(ns / 1000000);
	return __builtin_add_overflow((ns + 999999) / 1000000, ms > 0 ? ms : 0, &due) ? INT64_MAX
	                                                                              : due;
}

/* --- setting ------------------------------------------------------------------ */

static struct timer_entry *entry_new(void)
{
	struct timer_entry *e = deadlines.unused;

	if (!e)
		return mem_alloc(sizeof *e);
	deadlines.unused = e->next;
	return e;
}

static void clocked_add(struct timer_entry *e)
{
	e->prev = NULL;
	e->next = deadlines.clocked;
	if (e->next)
		e->next->prev = e;
	deadlines.clocked = e;
	if (!deadlines.clocked_count++) {
		deadlines.ahead = wall_ms() - now_ms();
		timer_set(&deadlines.wheel, &deadlines.look, now_ms() + LOOK_MS);
	}
}

static void clocked_drop(struct timer_entry *e)
{
	if (e->next)
		e->next->prev = e->prev;
	*(e->prev ? &e->prev->next : &deadlines.clocked) = e->next;
	if (!--deadlines.clocked_count)
		timer_clear(&deadlines.wheel, &deadlines.look);
}

/* The lock is let go. The loop looks earlier, if it must. */
static void look_by(int64_t due_ms)
{
	bool first = due_ms < deadlines.looked;

	if (first)
		deadlines.looked = due_ms;
	pthread_mutex_unlock(&deadlines.lock);
	if (first && deadlines.earlier)
		deadlines.earlier(deadlines.arg);
}

struct timer_entry *deadline_set(actor *self, int64_t number, uint16_t fn, int64_t due_ms,
                                 bool clocked)
{
	struct timer_entry *e;

	pthread_mutex_lock(&deadlines.lock);
	e = entry_new();
	*e = (struct timer_entry){
		.actor = cell_id(self), .number = number, .fn = fn, .clocked = clocked
	};
	if (clocked)
		clocked_add(e);
	timer_set(&deadlines.wheel, &e->timer, due_ms);
	look_by(clocked && deadlines.look.due_ms < due_ms ? deadlines.look.due_ms : due_ms);
	return e;
}

void deadline_order(actor *self, uint16_t fn, int64_t ms)
{
	deadline_set(self, 0, fn, deadline_in(ms), false);
}

void deadline_again(struct timer_entry *e, int64_t due_ms)
{
	pthread_mutex_lock(&deadlines.lock);
	timer_set(&deadlines.wheel, &e->timer, due_ms);
	look_by(due_ms);
}

/* An entry that has fired is off the wheel, but still its wait's until then. */
void deadline_clear(struct timer_entry *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&deadlines.lock);
	timer_clear(&deadlines.wheel, &e->timer);
	if (e->clocked)
		clocked_drop(e);
	e->next = deadlines.unused;
	deadlines.unused = e;
	pthread_mutex_unlock(&deadlines.lock);
}

/* --- what is due -------------------------------------------------------------- */

int64_t core_next_timer(void)
{
	int64_t next;

	pthread_mutex_lock(&deadlines.lock);
	next = timers_next(&deadlines.wheel);
	deadlines.looked = next;
	pthread_mutex_unlock(&deadlines.lock);
	return next == INT64_MAX ? next : next * 1000000;
}

struct due { uint64_t actor; int64_t number; uint16_t fn; };

static struct due due_of(const struct timer_entry *e)
{
	return (struct due){ e->actor, e->number, e->fn };
}

static void post_due(const struct due *due, uint32_t n)
{
	struct worker *w = worker_acquire();

	for (uint32_t i = 0; i < n; i++)
		if (due[i].number)
			post_special(w, due[i].actor, due[i].fn, (uint64_t)due[i].number);
		else
			post_order(w, due[i].actor, &(struct order){ due[i].fn, 0, 0, "" });
	worker_release(w);
}

/* The clock was set: all who wait for it look anew. */
static void clock_was_set(void)
{
	struct due *due;
	uint32_t n = 0;

	pthread_mutex_lock(&deadlines.lock);
	due = mem_alloc(deadlines.clocked_count * sizeof *due);
	for (struct timer_entry *e = deadlines.clocked; e; e = e->next)
		due[n++] = due_of(e);
	pthread_mutex_unlock(&deadlines.lock);
	post_due(due, n);
	mem_free(due);
}

/* Under the lock. True: the wall clock has been set since the last look. */
static bool look_at_clock(int64_t now)
{
	int64_t ahead = wall_ms() - now, moved = ahead - deadlines.ahead;

	timer_set(&deadlines.wheel, &deadlines.look, now + LOOK_MS);
	deadlines.ahead = ahead;
	return moved > STEP_MS || moved < -STEP_MS;
}

/* Under the lock. An order's entry belongs to nobody: it is unused again. */
static struct due taken(struct timer_entry *e)
{
	struct due due = due_of(e);

	if (!due.number) {
		e->next = deadlines.unused;
		deadlines.unused = e;
	}
	return due;
}

void core_run_timers(void)
{
	enum { AT_ONCE = 128 };
	struct due due[AT_ONCE];
	int64_t now = now_ms();
	bool set = false;
	uint32_t n;

	seen(now);
	do {
		struct timer *x;

		n = 0;
		pthread_mutex_lock(&deadlines.lock);
		while (n < AT_ONCE && (x = timers_take(&deadlines.wheel, now))) {
			if (x == &deadlines.look)
				set |= look_at_clock(now);
			else
				due[n++] = taken((struct timer_entry *)x);
		}
		pthread_mutex_unlock(&deadlines.lock);
		post_due(due, n);
	} while (n == AT_ONCE);
	if (set)
		clock_was_set();
}
