/* SPDX-License-Identifier: MIT
 * queue.c - what is ready, and who takes it.
 *
 * The next place is a biased lock: its owner uses plain stores between own = 1 and own = 0, and
 * only a hijacker pays: it sets hijacked, has the kernel fence everybody, and touches the place
 * only if the owner was not at it. That happens when the owner has been in one turn for a while.
 *
 * A thief looks at a ring twice, STEAL_US apart: only from one whose last would wait longer than
 * that is stolen. A ring that turns over quickly is left alone, for what it holds talks to itself
 * on one warm core. For the same reason a worker wakes another at most once a tick; the watch wakes
 * one where a ring moves slowly, which then needs no look of its own: who has found little to do
 * lately looks for less than STEAL_US before it parks. */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "home.h"
#include "pool.h"
#include "run.h"

enum { MANY = 32, SHARE_MOST = 128, NEXT_IN_A_ROW = 2048, SHARED_EVERY = 64, STEAL_CYCLES = 50000 };

struct pool pool;

static pthread_mutex_t hijack_lock = PTHREAD_MUTEX_INITIALIZER;

long queue_futex(_Atomic uint32_t *word, int op, uint32_t v)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, v, NULL, NULL, 0);
}

/* --- waking ------------------------------------------------------------------------------- */

static bool wake(struct pooler *p)
{
	if (!LOAD(&p->parked) || !atomic_exchange(&p->parked, 0))
		return false;
	queue_futex(&p->parked, FUTEX_WAKE, 1);
	return true;
}

/* One searcher at a time is enough: who finds something wakes the next. */
void queue_wake(void)
{
	uint32_t none = 0;

	if (!atomic_compare_exchange_strong(&pool.searching, &none, 1))
		return;
	for (int i = 0; i < LOAD_ACQUIRE(&pool.threads); i++)
		if (wake(pool.worker[i]))
			return;                 /* it wakes searching */
	atomic_fetch_sub(&pool.searching, 1);
}

static void work_added(struct pooler *p)
{
	/* Partner: the heavy one in pool.c, park(). Who is outside is seldom here, and pays, so
	 * that a lone worker need not ask the kernel. */
	if (p)
		worker_light_fence();
	else
		worker_full_fence();
	if (likely(!LOAD(&pool.idle)) || LOAD(&pool.searching))
		return;
	if (p) {
		if (p->wake_tick == LOAD(&run_tick))
			return;
		p->wake_tick = LOAD(&run_tick);
	}
	queue_wake();
}

/* --- the shared list ---------------------------------------------------------------------- */

/* n of them, in this order. */
static void share(const uint32_t *cells, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		STORE(&cell_at(cells[i])->link, i + 1 < n ? cells[i + 1] : 0);
	spin_lock(&pool.lock);
	if (pool.first)
		STORE(&cell_at(pool.last)->link, cells[0]);
	else
		pool.first = cells[0];
	pool.last = cells[n - 1];
	STORE(&pool.shared, LOAD(&pool.shared) + n);
	spin_unlock(&pool.lock);
}

/* The older half of the ring, which was full when it began at `first`, goes to the list, and a
 * behind it. (Looked for anew, its beginning may have moved on: the ring may hold less than half
 * then, and what lies behind its end has been taken before.) Whoever has made so many ready has had
 * its turn: what it has woken is warm now. */
static COLD void spill(struct pooler *p, uint32_t first, struct actor *a)
{
	uint32_t moved[RING / 2 + 1], n = RING / 2;

	for (uint32_t i = 0; i < n; i++)
		moved[i] = LOAD(&p->ring[(first + i) % RING]);
	/* a thief was quicker: there is room, or there was none that this thread could have used */
	if (!atomic_compare_exchange_strong(&p->first, &first, first + n))
		n = 0;
	moved[n] = cell_index(a);
	share(moved, n + 1);
	p->w.left = 1;
}

/* Whoever has made so many ready in one turn has had it: what it has woken (a parent: what it has
 * borne) is warm now, and is run before it makes more. */
static void many(struct pooler *p)
{
	uint64_t turn = LOAD(&p->w.turn);

	if (p->many_turn == turn)
		p->w.left = 1;
	p->many_turn = turn;
}

static void ring_put(struct pooler *p, struct actor *a)
{
	uint32_t tail = LOAD(&p->tail), first = LOAD_ACQUIRE(&p->first);

	assert(tail - first <= RING);
	if (unlikely(tail - first >= RING)) {
		spill(p, first, a);
		return;
	}
	if (unlikely(tail % MANY == 0))
		many(p);
	STORE(&p->ring[tail % RING], cell_index(a));
	STORE_RELEASE(&p->tail, tail + 1);              /* partner: steal_ring() */
}

/* This worker's fair part of the list: the first to run now, the others into its ring. */
static struct actor *take_shared(struct pooler *p)
{
	uint32_t have, n, got[SHARE_MOST];

	if (!LOAD(&pool.shared))
		return NULL;
	spin_lock(&pool.lock);
	have = LOAD(&pool.shared);
	n = have / (uint32_t)pool.n + 1;
	n = n > have ? have : n;
	n = n > SHARE_MOST ? SHARE_MOST : n;
	for (uint32_t i = 0; i < n; i++) {
		assert(pool.first);             /* as many as it says */
		got[i] = pool.first;
		pool.first = LOAD(&cell_at(pool.first)->link);
	}
	STORE(&pool.shared, have - n);
	spin_unlock(&pool.lock);
	for (uint32_t i = 1; i < n; i++)
		ring_put(p, cell_at(got[i]));
	return n ? cell_at(got[0]) : NULL;
}

/* --- a worker's own ----------------------------------------------------------------------- */

static struct actor *ring_take(struct pooler *p)
{
	uint32_t first = LOAD_ACQUIRE(&p->first);       /* partner: thieves' CAS, steal_ring() */

	while (first != LOAD(&p->tail)) {
		uint32_t i = LOAD(&p->ring[first % RING]);

		if (CAS(&p->first, &first, first + 1)) {
			/* cold, most likely, when its turn comes */
			__builtin_prefetch(cell_at(LOAD(&p->ring[(first + 1) % RING])), 1);
			return cell_at(i);
		}
	}
	return NULL;
}

static COLD struct actor *hijack(struct pooler *victim)
{
	uint32_t i = 0;

	pthread_mutex_lock(&hijack_lock);
	STORE(&victim->hijacked, 1);
	worker_heavy_fence();                   /* partner: the light one in pool.h, queue_swap() */
	/* acquire: next; partner: own = 0 in queue_swap() */
	if (!LOAD_ACQUIRE(&victim->own)) {
		i = LOAD(&victim->next);
		STORE(&victim->next, 0);
	}
	STORE_RELEASE(&victim->hijacked, 0);    /* partner: the wait in queue_swap() */
	pthread_mutex_unlock(&hijack_lock);
	return i ? cell_at(i) : NULL;
}

void queue_ready(struct worker *w, struct actor *a)
{
	struct pooler *p = (struct pooler *)(void *)w;
	uint32_t before;

	if (unlikely(a->home != HOME_POOL)) {
		home_ready(a);
		return;
	}
	pool_check(a, LINK_READY);
	if (unlikely(!w->pooled)) {
		share(&(uint32_t){ cell_index(a) }, 1);
		work_added(NULL);
		return;
	}
	before = queue_swap(p, cell_index(a));
	if (before) {
		ring_put(p, cell_at(before));
		work_added(p);
	}
}

void queue_again(struct pooler *p, struct actor *a)
{
	ring_put(p, a);
	work_added(p);
}

struct actor *queue_other(struct pooler *p)
{
	struct actor *a = NULL, *next;
	uint32_t tick = LOAD(&run_tick);

	p->slice = NEXT_IN_A_ROW;
	/* Who comes from outside has a turn by time and by count. */
	if (tick != p->shared_tick || ++p->rounds % SHARED_EVERY == 0) {
		p->shared_tick = tick;
		a = take_shared(p);
	}
	if (!a)
		a = ring_take(p);
	if (!a)
		a = take_shared(p);
	next = queue_next(p);
	if (!a)
		return next;
	if (next)
		ring_put(p, next);
	return a;
}

/* --- others' ------------------------------------------------------------------------------ */

static bool worth_it(struct pooler *p, struct pooler *victim, uint32_t first, uint32_t n)
{
	struct sample *s = &p->samples[victim->number];
	uint64_t now = __rdtsc();
	bool recent, slow;

	if (LOAD(&victim->stuck) || LOAD(&victim->slow))
		return true;
	if (s->has && now - s->at < STEAL_CYCLES)
		return false;
	recent = s->has && now - s->at < 8 * STEAL_CYCLES;      /* else too long ago to tell */
	slow = recent && n > first - s->first;
	*s = (struct sample){ first, !slow, now };
	return slow;
}

/* Half of a ring. The entries are read before the CAS that makes them ours: it fails where they
 * have changed. */
static struct actor *steal_ring(struct pooler *p, struct pooler *victim)
{
	uint32_t first = LOAD_ACQUIRE(&victim->first), n = LOAD_ACQUIRE(&victim->tail) - first,
		 got[RING];

	if (!n || n > RING || !worth_it(p, victim, first, n))
		return NULL;
	n -= n / 2;
	for (uint32_t i = 0; i < n; i++)
		got[i] = LOAD(&victim->ring[(first + i) % RING]);
	if (!atomic_compare_exchange_strong(&victim->first, &first, first + n))
		return NULL;
	STORE(&victim->slow, false);
	for (uint32_t i = 1; i < n; i++)
		ring_put(p, cell_at(got[i]));
	return cell_at(got[0]);
}

struct actor *queue_steal(struct pooler *p)
{
	int threads = LOAD_ACQUIRE(&pool.threads);

	for (int k = 1; k < threads; k++) {
		struct pooler *victim = pool.worker[(p->number + k) % threads];
		struct actor *a = steal_ring(p, victim);

		if (!a && LOAD(&victim->stuck) && LOAD(&victim->next))
			a = hijack(victim);
		if (a)
			return a;
	}
	return take_shared(p);
}

bool queue_waiting(void)
{
	if (LOAD(&pool.shared))
		return true;
	for (int i = 0; i < LOAD_ACQUIRE(&pool.threads); i++) {
		struct pooler *p = pool.worker[i];

		if (LOAD(&p->tail) != LOAD(&p->first) || (LOAD(&p->stuck) && LOAD(&p->next)))
			return true;
	}
	return false;
}

bool queue_urgent(void)
{
	if (LOAD(&pool.shared))
		return true;
	for (int i = 0; i < LOAD_ACQUIRE(&pool.threads); i++) {
		struct pooler *p = pool.worker[i];

		if (LOAD(&p->stuck) && (LOAD(&p->next) || LOAD(&p->tail) != LOAD(&p->first)))
			return true;
	}
	return false;
}
