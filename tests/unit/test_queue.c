/* SPDX-License-Identifier: MIT
 * test_queue.c - two workers' queues without their threads: who takes what, and when. */
#include "pool.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pooler *new_pooler(int number)
{
	struct pooler *p = aligned_alloc(128, sizeof *p);

	memset(p, 0, sizeof *p);
	p->number = number;
	p->w.pooled = true;
	pool.worker[number] = p;
	return p;
}

static int two_workers(void **state)
{
	struct why why;

	(void)state;
	if (cell_init(0, &why) < 0)
		return -1;
	new_pooler(0);
	new_pooler(1);
	pool.n = 2;
	STORE(&pool.threads, 2);
	return 0;
}

static int no_workers(void **state)
{
	(void)state;
	free(pool.worker[0]);
	free(pool.worker[1]);
	return 0;
}

static void fill(struct pooler *p, uint32_t n)
{
	for (uint32_t i = 1; i <= n; i++)
		queue_again(p, cell_at(i));
}

/* Looked at once, a ring may be about to turn over; where the watch has seen it stand there is
 * nothing to wait for. */
static void test_slow(void **state)
{
	struct pooler *victim = pool.worker[0], *thief = pool.worker[1];

	(void)state;
	fill(victim, 10);
	assert_null(queue_steal(thief));
	STORE(&victim->slow, true);
	assert_ptr_equal(queue_steal(thief), cell_at(1));
	assert_false(LOAD(&victim->slow));
	for (uint32_t i = 2; i <= 5; i++)
		assert_ptr_equal(queue_other(thief), cell_at(i));
	assert_null(queue_other(thief));
	for (uint32_t i = 6; i <= 10; i++)
		assert_ptr_equal(queue_other(victim), cell_at(i));
	assert_null(queue_other(victim));
}

static bool seen[2 * RING + 1];

/* All that p comes to; how many. */
static uint32_t drain(struct pooler *p)
{
	struct actor *a;
	uint32_t n = 0;

	for (; (a = queue_other(p)); n++) {
		assert_false(seen[cell_index(a)]);
		seen[cell_index(a)] = true;
	}
	return n;
}

/* What a full ring has no room for goes to the list, behind the older half of the ring; and the
 * turn that has woken so many ends. */
static void test_spill(void **state)
{
	struct pooler *busy = pool.worker[0], *other = pool.worker[1];

	(void)state;
	memset(seen, 0, sizeof seen);
	fill(busy, RING);
	busy->w.left = 100;
	assert_int_equal(LOAD(&pool.shared), 0);
	queue_again(busy, cell_at(RING + 1));
	assert_int_equal(busy->w.left, 1);
	assert_int_equal(drain(other), RING / 2 + 1);
	assert_true(seen[1] && seen[RING / 2] && seen[RING + 1]);
	assert_int_equal(drain(busy), RING / 2);
}

/* A turn that makes many ready ends; as many by several turns do not end one. */
static void test_many(void **state)
{
	struct pooler *p = pool.worker[0];

	(void)state;
	for (uint32_t i = 1; i <= 200; i++) {
		p->w.left = 100;
		STORE(&p->w.turn, 2 * i);
		queue_again(p, cell_at(i));
		assert_int_equal(p->w.left, 100);
	}
	memset(seen, 0, sizeof seen);
	drain(p);
	STORE(&p->w.turn, 1000);
	fill(p, 64);
	assert_int_equal(p->w.left, 1);
	memset(seen, 0, sizeof seen);
	drain(p);
}

/* More than a ring holds is for both, and all come once. */
static void test_overflow(void **state)
{
	(void)state;
	memset(seen, 0, sizeof seen);
	fill(pool.worker[0], RING + 200);
	assert_int_equal(drain(pool.worker[1]) + drain(pool.worker[0]), RING + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow, two_workers, no_workers),
		cmocka_unit_test_setup_teardown(test_spill, two_workers, no_workers),
		cmocka_unit_test_setup_teardown(test_many, two_workers, no_workers),
		cmocka_unit_test_setup_teardown(test_overflow, two_workers, no_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
