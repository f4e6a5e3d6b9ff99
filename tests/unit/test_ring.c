/* SPDX-License-Identifier: MIT
 * test_ring.c - a worker's ring, with somebody else coming between any two steps.
 *
 * queue.c is compiled here with a call before each of its looks at shared words and changes of
 * them: there whoever was to come does all that it wants to, as if this thread had just lost its
 * processor. So one thread meets every place where another can come in between, and each run is
 * the same. Whatever happens, all that was put comes to somebody, once. What only the order of
 * memory does is not seen; nobody comes back in between a second time. */
#include <stdint.h>

#include "sync.h"

static void step(void);

#undef LOAD
#undef LOAD_ACQUIRE
#undef STORE
#undef STORE_RELEASE
#undef CAS
#undef atomic_compare_exchange_strong
#define LOAD(p)             (step(), atomic_load_explicit(p, memory_order_relaxed))
#define LOAD_ACQUIRE(p)     (step(), atomic_load_explicit(p, memory_order_acquire))
#define STORE(p, v)         (step(), atomic_store_explicit(p, v, memory_order_relaxed))
#define STORE_RELEASE(p, v) (step(), atomic_store_explicit(p, v, memory_order_release))
#define CAS(p, expected, v) atomic_compare_exchange_strong(p, expected, v)
#define atomic_compare_exchange_strong(p, expected, v) (step(), \
	atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_seq_cst, \
						memory_order_seq_cst))

#include "queue.c"

#include <setjmp.h>
#include <cmocka.h>

enum { CELLS = 8 * RING };

static struct pooler poolers[3], *const owner = &poolers[0], *const thief = &poolers[1],
		      *const second = &poolers[2];
static uint32_t put, taken;
static bool seen[CELLS + 1];

/* Who comes, and in how many steps. */
static void (*comes)(void);
static uint32_t steps;

static void step(void)
{
	void (*who)(void) = comes;

	if (!who || --steps)
		return;
	comes = NULL;
	who();
}

static void take(const struct actor *a)
{
	assert_non_null(a);
	assert_in_range(cell_index(a), 1, put);
	assert_false(seen[cell_index(a)]);
	seen[cell_index(a)] = true;
	taken++;
}

static void take_all(struct pooler *p)
{
	struct actor *a;

	while ((a = ring_take(p)))
		take(a);
}

/* --- what each of them does --------------------------------------------------------------- */

static void puts_one(void)
{
	queue_again(owner, cell_at(++put));
}

static void takes_one(void)
{
	struct actor *a = ring_take(owner);

	if (a)
		take(a);
}

static void puts_and_takes(void)
{
	for (int i = 0; i < RING + RING / 2; i++) {
		puts_one();
		takes_one();
	}
}

/* The ring is another lot from one end to the other. */
static void goes_round(void)
{
	take_all(owner);
	for (int i = 0; i < RING; i++)
		puts_one();
}

static void steals_by(struct pooler *p)
{
	struct actor *a = steal_ring(p, owner);

	if (a)
		take(a);
	take_all(p);
}

static void steals(void)
{
	steals_by(thief);
}

static void steals_twice(void)
{
	steals();
	steals();
}

/* With what that thief makes ready itself. */
static void steals_all(void)
{
	while (LOAD(&owner->first) != LOAD(&owner->tail))
		steals();
	queue_again(thief, cell_at(++put));
	take_all(thief);
}

static void another_steals(void)
{
	steals_by(second);
}

/* --- the runs ----------------------------------------------------------------------------- */

static int three_workers(void **state)
{
	struct why why;

	(void)state;
	pool.n = 3;
	atomic_init(&pool.threads, 3);
	for (int i = 0; i < 3; i++)
		pool.worker[i] = &poolers[i];
	return cell_init(0, &why);
}

/* The owner's ring begins at `at` and has n. */
static void begin(uint32_t at, uint32_t n)
{
	memset(poolers, 0, sizeof poolers);
	for (int i = 0; i < 3; i++)
		poolers[i].number = i;
	atomic_init(&owner->first, at);
	atomic_init(&owner->tail, at);
	atomic_init(&owner->stuck, 1);          /* worth stealing from */
	pool.first = 0;
	atomic_init(&pool.shared, 0);
	put = taken = 0;
	memset(seen, 0, sizeof seen);
	while (n--)
		puts_one();
}

static void end(void)
{
	struct actor *a;

	while ((a = queue_other(owner)))
		take(a);
	assert_int_equal(LOAD(&pool.shared), 0);
	assert_int_equal(taken, put);
}

/* other comes at the k-th step. False: there are not so many. */
static bool meet(uint32_t at, uint32_t n, void (*one)(void), void (*other)(void), uint32_t k)
{
	bool came;

	begin(at, n);
	comes = other;
	steps = k;
	one();
	came = !comes;
	comes = NULL;
	end();
	return came;
}

static void each_step(void (*one)(void), void (*other)(void))
{
	static const uint32_t held[] = { 0, 1, 2, RING / 2, RING - 1, RING };
	/* the second: the counts go over 2^32 */
	static const uint32_t begins[] = { 0, UINT32_MAX - RING / 2 };

	for (unsigned i = 0; i < 2 * ARRAY_LEN(held); i++) {
		uint32_t k = 1;

		while (meet(begins[i % 2], held[i / 2], one, other, k))
			k++;
		assert_true(k > 1);
	}
}

static void test_a_put(void **state)
{
	(void)state;
	each_step(puts_one, steals);
	each_step(puts_one, steals_twice);
	each_step(puts_one, steals_all);
}

static void test_a_take(void **state)
{
	(void)state;
	each_step(takes_one, steals);
	each_step(takes_one, steals_twice);
	each_step(takes_one, steals_all);
}

static void test_a_theft(void **state)
{
	(void)state;
	each_step(steals, puts_one);
	each_step(steals, takes_one);
	each_step(steals, puts_and_takes);
	each_step(steals, goes_round);
	each_step(steals, another_steals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_put),
		cmocka_unit_test(test_a_take),
		cmocka_unit_test(test_a_theft),
	};

	return cmocka_run_group_tests(tests, three_workers, NULL);
}
