/* SPDX-License-Identifier: MIT
 * deadline.c - the shared wheels, and who turns them.
 *
 * There are several, each under a lock of its own, so that workers that ask do not wait for each
 * other; an actor's deadlines lie all in one, in their order. Where there is nobody to wait for it
 * is one, so that a run from a seed has all deadlines in their order. While anything waits for a
 * moment of the wall clock, the first wheel looks once a second whether that was set. */
#include "deadline.h"

#include <pthread.h>
#include <time.h>

#include "ports.h"
#include "timer.h"

enum {
	LOOK_MS = 1000,
	STEP_MS = 200,
	WHEELS = 16
}; /* a clock that is only corrected does not move so far in a second */

struct timer_entry {
	struct timer timer;             /* first: a timer is its entry */
	uint64_t actor;
	int64_t number;
	uint16_t fn;
	bool clocked;
	struct wheel *wheel;            /* that it is of */
	struct timer_entry *next, *prev;        /* unused ones; those that are clocked */
};

_Alignas(128) _Atomic int64_t deadline_seen;

static struct wheel {
	_Alignas(128) pthread_mutex_t lock;
	struct timers timers;
	struct timer_entry *unused;
	_Atomic int64_t looked;         /* under the lock: not later than that the loop looks, ms */
} wheels[WHEELS];
static uint32_t wheel_count = 1;

/* The rest is under the first one's lock. */
static struct {
	struct timer_entry *clocked;
	uint32_t clocked_count;
	struct timer look;              /* at the wall clock */
	int64_t ahead;                  /* the wall clock is of the other one */
	void (*earlier)(void *arg);
	void *arg;
} deadlines;

static struct wheel *wheel_of(const actor *self, bool clocked)
{
	return clocked ? wheels : &wheels[cell_index(self) % wheel_count];
}

static void entry_free(struct timer_entry *e)
{
	e->next = e->wheel->unused;
	e->wheel->unused = e;
}

static void wheel_init(struct wheel *v)
{
	static bool made[WHEELS];
	struct timer *x;

	if (!made[v - wheels])
		pthread_mutex_init(&v->lock, NULL);
	made[v - wheels] = true;
	/* What an earlier start left behind is not lost. */
	while (v->timers.count && (x = timers_take(&v->timers, INT64_MAX - 1)))
		if (x != &deadlines.look)
			entry_free((struct timer_entry *)x);
	timers_init(&v->timers, now_ms());
	STORE(&v->looked, INT64_MAX);
}

void deadline_init(int workers)
{
	tzset();                        /* reads a file: not on a worker */
	wheel_count = workers > 1 ? WHEELS : 1;
	for (int i = 0; i < WHEELS; i++)
		wheel_init(&wheels[i]);
	deadlines.clocked = NULL;
	deadlines.clocked_count = 0;
	STORE(&deadline_seen, now_ms());
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
	int64_t passed, ns = soon_ns(&passed), due;

	seen(passed / 1000000);
	return __builtin_add_overflow((ns + 999999) / 1000000, ms > 0 ? ms : 0, &due) ? INT64_MAX
	                                                                              : due;
}

/* --- setting ------------------------------------------------------------------ */

static struct timer_entry *entry_new(struct wheel *v)
{
	struct timer_entry *e = v->unused;

	if (!e)
		return mem_alloc(sizeof *e);
	v->unused = e->next;
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
		timer_set(&wheels->timers, &deadlines.look, now_ms() + LOOK_MS);
	}
}

static void clocked_drop(struct timer_entry *e)
{
	if (e->next)
		e->next->prev = e->prev;
	*(e->prev ? &e->prev->next : &deadlines.clocked) = e->next;
	if (!--deadlines.clocked_count)
		timer_clear(&wheels->timers, &deadlines.look);
}

/* The lock is let go. The loop looks earlier, if it must. */
static void look_by(struct wheel *v, int64_t due_ms)
{
	bool first = due_ms < LOAD(&v->looked);

	if (first)
		STORE(&v->looked, due_ms);
	pthread_mutex_unlock(&v->lock);
	if (first && deadlines.earlier)
		deadlines.earlier(deadlines.arg);
}

struct timer_entry *deadline_set(actor *self, int64_t number, uint16_t fn, int64_t due_ms,
                                 bool clocked)
{
	struct wheel *v = wheel_of(self, clocked);
	struct timer_entry *e;

	pthread_mutex_lock(&v->lock);
	e = entry_new(v);
	*e = (struct timer_entry){
		.actor = cell_id(self), .number = number, .fn = fn, .clocked = clocked, .wheel = v
	};
	if (clocked)
		clocked_add(e);
	timer_set(&v->timers, &e->timer, due_ms);
	look_by(v, clocked && deadlines.look.due_ms < due_ms ? deadlines.look.due_ms : due_ms);
	return e;
}

void deadline_order(actor *self, uint16_t fn, int64_t ms)
{
	deadline_set(self, 0, fn, deadline_in(ms), false);
}

void deadline_again(struct timer_entry *e, int64_t due_ms)
{
	struct wheel *v = e->wheel;

	pthread_mutex_lock(&v->lock);
	timer_set(&v->timers, &e->timer, due_ms);
	look_by(v, due_ms);
}

/* An entry that has fired is off the wheel, but still its wait's until then. */
void deadline_clear(struct timer_entry *e)
{
	struct wheel *v;

	if (!e)
		return;
	v = e->wheel;
	pthread_mutex_lock(&v->lock);
	timer_clear(&v->timers, &e->timer);
	if (e->clocked)
		clocked_drop(e);
	entry_free(e);
	pthread_mutex_unlock(&v->lock);
}

int64_t deadline_left(const struct timer_entry *e)
{
	int64_t left;

	if (!e)
		return 0;
	pthread_mutex_lock(&e->wheel->lock);
	left = e->timer.due_ms - now_ms();
	pthread_mutex_unlock(&e->wheel->lock);
	return left > 0 ? left : 0;
}

/* --- what is due -------------------------------------------------------------- */

/* Under the lock. A look that was asked for stays until it was had, though what asked for it may
 * be gone: else each question of a node that has little to do, answered before the loop has seen
 * that it is the first, would wake the loop again. */
static int64_t next_look(const struct wheel *v, int64_t now)
{
	int64_t due = timers_next(&v->timers), asked = LOAD(&v->looked);

	return deadlines.earlier && asked > now && asked < due ? asked : due;
}

int64_t core_next_timer(void)
{
	int64_t next = INT64_MAX, now = now_ms();

	for (struct wheel *v = wheels; v < wheels + wheel_count; v++) {
		int64_t its;

		pthread_mutex_lock(&v->lock);
		its = next_look(v, now);
		STORE(&v->looked, its);
		pthread_mutex_unlock(&v->lock);
		next = its < next ? its : next;
	}
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

	pthread_mutex_lock(&wheels->lock);
	due = mem_alloc(deadlines.clocked_count * sizeof *due);
	for (struct timer_entry *e = deadlines.clocked; e; e = e->next)
		due[n++] = due_of(e);
	pthread_mutex_unlock(&wheels->lock);
	post_due(due, n);
	mem_free(due);
}

/* Under the lock. True: the wall clock has been set since the last look. */
static bool look_at_clock(int64_t now)
{
	int64_t ahead = wall_ms() - now, moved = ahead - deadlines.ahead;

	timer_set(&wheels->timers, &deadlines.look, now + LOOK_MS);
	deadlines.ahead = ahead;
	return moved > STEP_MS || moved < -STEP_MS;
}

/* Under the lock. An order's entry belongs to nobody: it is unused again. */
static struct due taken(struct timer_entry *e)
{
	struct due due = due_of(e);

	if (!due.number)
		entry_free(e);
	return due;
}

/* True: the wall clock has been set. */
static bool run_wheel(struct wheel *v, int64_t now)
{
	enum { AT_ONCE = 128 };
	struct due due[AT_ONCE];
	bool set = false;
	uint32_t n;

	do {
		struct timer *x;

		n = 0;
		pthread_mutex_lock(&v->lock);
		while (n < AT_ONCE && (x = timers_take(&v->timers, now))) {
			if (x == &deadlines.look)
				set |= look_at_clock(now);
			else
				due[n++] = taken((struct timer_entry *)x);
		}
		pthread_mutex_unlock(&v->lock);
		post_due(due, n);
	} while (n == AT_ONCE);
	return set;
}

void core_run_timers(void)
{
	int64_t now = now_ms();
	bool set = false;

	seen(now);
	for (struct wheel *v = wheels; v < wheels + wheel_count; v++)
		if (LOAD(&v->looked) <= now)
			set |= run_wheel(v, now);
	if (set)
		clock_was_set();
}
