/* SPDX-License-Identifier: MIT
 * sched.c - the pool's start, and its end: drained, its actors stopped in reverse order, its
 * threads joined. */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>

#include "guard.h"
#include "hold.h"
#include "log.h"
#include "patience.h"
#include "pool.h"
#include "ports.h"
#include "seeded.h"
#include "supervise.h"
#include "thread.h"

int core_start(const struct core_config *c, struct why *why)
{
	int rc = 0;

	if (c->workers < 0 || c->workers > WORKERS_POOL_MAX)
		return why_set(why, ACTOR_EARGS, "%d workers: 1 to %d are possible", c->workers,
			       WORKERS_POOL_MAX);
	if (!core_doors()->name)
		return why_set(why, ACTOR_ENOMEM,
			       "no memory can be made executable, which actors in C need: see "
			       "limits on memory, and whether a policy (SELinux: execmem) "
			       "forbids it");
	if (message_init(why) < 0 || cell_init(c->max_actors, why) < 0)
		return ACTOR_ENOMEM;
	deadline_init(c->workers);
	supervise_open();
	hold_init();
	if (!c->workers) {
		seeded_start();
		return 0;
	}
	post_ready = queue_ready;
	thread_init();
	pool.n = c->workers;
	for (int i = 0; i < pool.n && !rc; i++)
		rc = pool_add(i, why);
	return rc ? rc : watch_start(why);
}

static void pause_ms(int ms)
{
	ports.clock.wait_ms(ports.clock.arg, ms);
}

/* On the pool, or a thread of its own: not at one of the rooms' homes. */
static bool is_ours(const struct actor *a)
{
	return a->home == HOME_POOL || thread_is(a->home);
}

static bool quiet(bool homes)
{
	for (uint32_t i = 1; i < cell_count(); i++) {
		uint64_t h = LOAD_ACQUIRE(&cell_at(i)->head);

		if ((homes || is_ours(cell_at(i))) && HEAD_TOP(h) != TOP_IDLE &&
		    HEAD_TOP(h) != TOP_DEAD && !LOAD(&cell_at(i)->parked))
			return false;
	}
	return true;
}

/* What was looked at may be sent something by what was not yet: then the counts differ. */
bool core_still(void)
{
	struct core_totals before, after;

	core_counts(&before);
	if (!quiet(true))
		return false;
	core_counts(&after);
	return before.sent == after.sent && before.handled == after.handled;
}

bool core_drain(int ms)
{
	int64_t until = now_ms() + ms;

	while (!quiet(false)) {
		if (now_ms() >= until)
			return false;
		pause_ms(1);
	}
	return true;
}

struct living { uint64_t id, born; bool stops; };

static int younger_first(const void *a, const void *b)
{
	uint64_t x = ((const struct living *)a)->born, y = ((const struct living *)b)->born;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Dead is gone, too: the id of one that was just ending when the list was made may be its cell's
 * next, as the generation ends first (life_bury). */
static bool is_gone(uint64_t id)
{
	struct actor *a = cell_at((uint32_t)id);

	return LOAD_ACQUIRE(&a->gen) != id >> 32 || HEAD_TOP(LOAD_ACQUIRE(&a->head)) == TOP_DEAD;
}

/* How many there were. */
static size_t stop_living(int64_t until)
{
	struct living *list = mem_alloc(cell_count() * sizeof *list);
	size_t n = 0;

	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (is_ours(a) && HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD)
			list[n++] = (struct living){cell_id(a), LOAD(&a->born),
						    cell_type(a)->stop != NULL};
	}
	qsort(list, n, sizeof *list, younger_first);
	for (size_t i = 0; i < n; i++) {
		struct worker *w = worker_acquire();

		post_order(w, list[i].id, &(struct order){ FN_STOP, 0, 0, "" });
		worker_release(w);
		while (list[i].stops && !is_gone(list[i].id) && now_ms() < until)
			pause_ms(1);
	}
	for (size_t i = 0; i < n; i++)
		while (!is_gone(list[i].id) && now_ms() < until)
			pause_ms(1);
	mem_free(list);
	return n;
}

/* One that was just beginning again when the list was made has another generation by now: once
 * more. */
static void stop_actors(int64_t until)
{
	supervise_close();
	while (stop_living(until) && now_ms() < until)
		;
}

/* False: it is inside a handler that does not return. */
static bool join(struct pooler *p)
{
	const char *in;

	STORE(&p->parked, 0);
	queue_futex(&p->parked, FUTEX_WAKE, 1);
	if (join_within(p->thread, 1000)) {
		worker_remove(&p->w);
		return true;
	}
	in = LOAD(&p->w.handler);
	log_line(LOG_ERROR, "node", "%s does not come back from the handler %s: it is left behind",
		 p->w.name, in ? in : "?");
	return false;
}

bool core_stop(int ms)
{
	int64_t until = now_ms() + ms;
	bool all;

	stop_actors(until);
	if (!pool.n)
		return seeded_stop();
	all = thread_ended_all(until);
	STORE(&pool.stop, 1);
	watch_stop();
	for (int i = 0; i < LOAD(&pool.threads); i++)
		all = join(pool.worker[i]) && all;
	/* Their records stay: a thread that is no worker may be looking at them (worker_reclaim).
	 */
	for (int i = 0; all && i < LOAD(&pool.threads); i++)
		guard_free(atomic_exchange(&pool.worker[i]->w.guard, NULL));
	worker_reclaim();
	return all;
}
