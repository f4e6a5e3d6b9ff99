/* SPDX-License-Identifier: MIT
 * sched.c - the pool.
 *
 * Each worker has a place for the actor to run next (what the running one has just woken: a pair that
 * talks stays on one core, with warm caches) and a ring of 256 for the rest; what overflows, and what
 * comes from outside, goes through a list that all share. Who has nothing steals half of a ring, and what has
 * lain in a next place for a whole look while its worker was stuck in one turn.
 *
 * Parking: a worker says that it is parked, then looks again for work; who adds work looks for the parked
 * after adding it. A heavy fence on the one side and light ones on the other make sure that one sees the
 * other. A worker that parks while others are in a turn wakes by itself to look after them. */
#include "core.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "home.h"
#include "log.h"
#include "ports.h"
#include "run.h"

enum { RING = 256, POOL_MAX = 64, NEXT_IN_A_ROW = 256, LOOK_MS = 1, SPINS = 64 };

struct pooler {
	struct worker w;                                /* first */
	/* Anybody. */
	_Alignas(128) _Atomic uint32_t next;            /* cell index, 0: none */
	_Atomic uint32_t first;                         /* ring: thieves and owner */
	_Atomic uint32_t tail;                          /* owner */
	_Atomic uint32_t ring[RING];
	_Atomic uint32_t parked;                        /* futex */
	/* The owner. */
	_Alignas(128) uint32_t in_a_row;
	uint64_t seen[POOL_MAX];                        /* others' turns when it last looked */
	pthread_t thread;
	int number;
};

static struct {
	struct pooler *worker;
	int n;
	_Atomic uint32_t idle, stop;
	spinlock lock;                                  /* of the shared list */
	uint32_t first, last;
	_Atomic uint32_t shared;                        /* how many are in it */
} pool;

/* --- the queues -------------------------------------------------------------------------------------- */

static long futex(_Atomic uint32_t *word, int op, uint32_t v, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, v, timeout, NULL, 0);
}

static void share(struct actor *a)
{
	uint32_t i = cell_index(a);

	STORE(&a->link, 0);
	spin_lock(&pool.lock);
	if (pool.first)
		STORE(&cell_at(pool.last)->link, i);
	else
		pool.first = i;
	pool.last = i;
	STORE(&pool.shared, LOAD(&pool.shared) + 1);
	spin_unlock(&pool.lock);
}

static struct actor *take_shared(void)
{
	uint32_t i;

	if (!LOAD(&pool.shared))
		return NULL;
	spin_lock(&pool.lock);
	i = pool.first;
	if (i) {
		pool.first = LOAD(&cell_at(i)->link);
		STORE(&pool.shared, LOAD(&pool.shared) - 1);
	}
	spin_unlock(&pool.lock);
	return i ? cell_at(i) : NULL;
}

static void ring_put(struct pooler *p, struct actor *a)
{
	uint32_t tail = LOAD(&p->tail);

	if (unlikely(tail - LOAD_ACQUIRE(&p->first) >= RING)) {
		share(a);
		return;
	}
	STORE(&p->ring[tail % RING], cell_index(a));
	STORE_RELEASE(&p->tail, tail + 1);              /* partner: steal() */
}

static struct actor *ring_take(struct pooler *p)
{
	uint32_t first = LOAD_ACQUIRE(&p->first);

	while (first != LOAD(&p->tail)) {
		uint32_t i = LOAD(&p->ring[first % RING]);

		if (CAS(&p->first, &first, first + 1))
			return cell_at(i);
	}
	return NULL;
}

static struct actor *next_take(struct pooler *p)
{
	uint32_t i = LOAD(&p->next) ? atomic_exchange(&p->next, 0) : 0;

	return i ? cell_at(i) : NULL;
}

static bool work_anywhere(void)
{
	if (LOAD(&pool.shared))
		return true;
	for (int i = 0; i < pool.n; i++)
		if (LOAD(&pool.worker[i].tail) != LOAD(&pool.worker[i].first))
			return true;
	return false;
}

static bool wake(struct pooler *p)
{
	if (!LOAD(&p->parked) || !atomic_exchange(&p->parked, 0))
		return false;
	futex(&p->parked, FUTEX_WAKE, 1, NULL);
	return true;
}

static void work_added(void)
{
	worker_light_fence();                           /* partner: the heavy one in park() */
	if (likely(!LOAD(&pool.idle)))
		return;
	for (int i = 0; i < pool.n; i++)
		if (wake(&pool.worker[i]))
			return;
}

static void ready(struct worker *w, struct actor *a)
{
	struct pooler *p = (struct pooler *)(void *)w;
	uint32_t before;

	if (unlikely(a->home != HOME_POOL)) {
		home_ready(a);
		return;
	}
	if (unlikely(!w->pooled)) {
		share(a);
		work_added();
		return;
	}
	before = atomic_exchange(&p->next, cell_index(a));
	if (before) {
		ring_put(p, cell_at(before));
		work_added();
	}
}

/* --- looking for work --------------------------------------------------------------------------------- */

/* Half of a ring. The entries are read before the CAS that makes them ours: it fails where they have changed. */
static struct actor *steal_ring(struct pooler *p, struct pooler *victim)
{
	uint32_t first = LOAD_ACQUIRE(&victim->first), n = LOAD_ACQUIRE(&victim->tail) - first, got[RING];

	if (!n || n > RING)
		return NULL;
	n -= n / 2;
	for (uint32_t i = 0; i < n; i++)
		got[i] = LOAD(&victim->ring[(first + i) % RING]);
	if (!atomic_compare_exchange_strong(&victim->first, &first, first + n))
		return NULL;
	for (uint32_t i = 1; i < n; i++)
		ring_put(p, cell_at(got[i]));
	return cell_at(got[0]);
}

/* What lies in the next place of a worker that has been in one turn since we last looked. */
static struct actor *steal_next(struct pooler *p, struct pooler *victim)
{
	uint64_t turn = LOAD_ACQUIRE(&victim->w.turn), seen = p->seen[victim->number];

	p->seen[victim->number] = turn;
	return turn == seen && (turn & 1) ? next_take(victim) : NULL;
}

static struct actor *steal(struct pooler *p, bool look)
{
	int start = (int)ports.choice.pick(ports.choice.arg, (uint32_t)pool.n);
	struct actor *a = NULL;

	for (int k = 0; k < pool.n && !a; k++) {
		struct pooler *victim = &pool.worker[(start + k) % pool.n];

		if (victim == p)
			continue;
		a = steal_ring(p, victim);
		if (!a && look)
			a = steal_next(p, victim);
	}
	return a;
}

static struct actor *find(struct pooler *p)
{
	struct actor *a = NULL;

	if (likely(++p->in_a_row % NEXT_IN_A_ROW))
		a = next_take(p);
	else if ((a = take_shared()))                   /* who comes from outside gets a turn, too */
		return a;
	if (!a)
		a = ring_take(p);
	if (!a)
		a = next_take(p);
	return a ? a : take_shared();
}

static bool others_busy(const struct pooler *p)
{
	for (int i = 0; i < pool.n; i++)
		if (&pool.worker[i] != p && LOAD(&pool.worker[i].w.turn) & 1)
			return true;
	return false;
}

static void park(struct pooler *p)
{
	struct timespec look = { 0, LOOK_MS * 1000000 };

	STORE(&p->parked, 1);
	atomic_fetch_add(&pool.idle, 1);
	worker_heavy_fence();
	if (!work_anywhere() && !LOAD(&pool.stop))
		futex(&p->parked, FUTEX_WAIT, 1, others_busy(p) ? &look : NULL);
	STORE(&p->parked, 0);
	atomic_fetch_sub(&pool.idle, 1);
}

static struct actor *search(struct pooler *p)
{
	struct actor *a = NULL;

	for (bool look = false; !a && !LOAD(&pool.stop); look = true) {
		for (int i = 0; i < SPINS && !a; i++) {
			a = find(p);
			if (!a)
				a = steal(p, look && i == 0);
			__builtin_ia32_pause();
		}
		if (!a)
			park(p);
	}
	return a;
}

static void *work(void *arg)
{
	struct pooler *p = arg;

	worker_self = &p->w;
	while (!LOAD(&pool.stop)) {
		struct actor *a = find(p);

		if (!a)
			a = search(p);
		if (a && run_turn(&p->w, a)) {
			ring_put(p, a);
			work_added();
		}
	}
	return NULL;
}

/* --- start and stop ---------------------------------------------------------------------------------------- */

static int start_workers(struct why *why)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);    /* signals are the main thread's */
	for (int i = 0; i < pool.n && !rc; i++) {
		struct pooler *p = &pool.worker[i];
		char name[24];

		p->number = i;
		p->w.pooled = true;
		snprintf(name, sizeof name, "worker %d", i);
		worker_add(&p->w, name);
		rc = pthread_create(&p->thread, NULL, work, p);
		if (rc)
			why_set(why, ACTOR_ENOMEM, "cannot start worker %d of %d: %s", i, pool.n, strerror(rc));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? ACTOR_ENOMEM : 0;
}

int core_start(const struct core_config *c, struct why *why)
{
	if (c->workers < 1 || c->workers > POOL_MAX)
		return why_set(why, ACTOR_EARGS, "%d workers: 1 to %d are possible", c->workers, POOL_MAX);
	if (message_init(why) < 0 || cell_init(c->max_actors, why) < 0)
		return ACTOR_ENOMEM;
	ask_init();
	send_ready = ready;
	pool.n = c->workers;
	pool.worker = aligned_alloc(128, (size_t)pool.n * sizeof *pool.worker);
	memset(pool.worker, 0, (size_t)pool.n * sizeof *pool.worker);
	STORE(&pool.stop, 0);
	return start_workers(why);
}

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static bool pool_quiet(void)
{
	for (uint32_t i = 1; i < cell_count(); i++) {
		uint64_t h = LOAD_ACQUIRE(&cell_at(i)->head);

		if (cell_at(i)->home == HOME_POOL && HEAD_TOP(h) != TOP_IDLE && HEAD_TOP(h) != TOP_DEAD)
			return false;
	}
	return true;
}

bool core_drain(int ms)
{
	int64_t until = now_ms() + ms;

	while (!pool_quiet()) {
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

static bool is_gone(uint64_t id)
{
	return LOAD_ACQUIRE(&cell_at((uint32_t)id)->gen) != id >> 32;
}

static void stop_actors(int64_t until)
{
	struct living *list = mem_alloc(cell_count() * sizeof *list);
	size_t n = 0;

	for (uint32_t i = 1; i < cell_count(); i++) {
		struct actor *a = cell_at(i);

		if (a->home == HOME_POOL && HEAD_TOP(LOAD_ACQUIRE(&a->head)) != TOP_DEAD)
			list[n++] = (struct living){ cell_id(a), a->born, LOAD(&a->type)->stop != NULL };
	}
	qsort(list, n, sizeof *list, younger_first);
	for (size_t i = 0; i < n; i++) {
		struct worker *w = worker_acquire();

		send_special(w, list[i].id, FN_STOP, 0);
		worker_release(w);
		while (list[i].stops && !is_gone(list[i].id) && now_ms() < until)
			pause_ms(1);
	}
	for (size_t i = 0; i < n; i++)
		while (!is_gone(list[i].id) && now_ms() < until)
			pause_ms(1);
	mem_free(list);
}

bool core_stop(int ms)
{
	int64_t until = now_ms() + ms;
	struct timespec limit;
	bool all = true;

	stop_actors(until);
	STORE(&pool.stop, 1);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 1;
	for (int i = 0; i < pool.n; i++) {
		struct pooler *p = &pool.worker[i];
		const char *in;

		STORE(&p->parked, 0);
		futex(&p->parked, FUTEX_WAKE, 1, NULL);
		if (pthread_timedjoin_np(p->thread, NULL, &limit) == 0) {
			worker_remove(&p->w);
			continue;
		}
		all = false;
		in = LOAD(&p->w.handler);
		log_line(LOG_ERROR, "node", "%s does not come back from the handler %s: it is left behind", p->w.name,
		         in ? in : "?");
		all = false;
	}
	worker_reclaim();
	return all;
}
