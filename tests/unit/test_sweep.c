/* SPDX-License-Identifier: MIT
 * test_sweep.c - who is put into the wheel is next at its tick: not before, and not lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../runtime/gateway/sweep.h"

enum { MANY = 1000, ROUNDS = 20000 };

static struct member { struct link l; uint32_t due; } members[MANY];
static int met;

static void put(struct sweep *s, struct member *m, uint32_t ticks)
{
	m->due = s->tick + (ticks < 1 ? 1 : ticks < SWEEP_TICKS ? ticks : SWEEP_TICKS - 1);
	sweep_put(s, &m->l, ticks);
}

/* Each is put back where it was due; the clock goes on by 0 to 3, and at times by much more. */
static void each_comes_at_its_tick(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	uint32_t tick = UINT32_MAX - 5000;
	struct sweep s;
	struct link *l;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	sweep_init(&s);
	assert_null(sweep_next(&s, tick));      /* close to where it wraps */
	for (int i = 0; i < MANY; i++)
		put(&s, &members[i], (uint32_t)random() % 80);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t on = random() % 100 ? (uint32_t)random() % 4 : (uint32_t)random() % 200;

		tick += on;
		while ((l = sweep_next(&s, tick))) {
			struct member *m = LINKED(l, struct member, l);

			assert_true((int32_t)(tick - m->due) >= 0 && tick - m->due < (on ? on : 1));
			put(&s, m, (uint32_t)random() % 80);
		}
	}
	for (int i = 0; i < MANY; i++)
		assert_true((int32_t)(members[i].due - tick) > 0);
}

static void meet(struct link *l)
{
	(void)l;
	met++;
}

static void who_left_does_not_come(void **state)
{
	struct link one = { 0 }, two = { 0 }, three = { 0 };
	struct sweep s;

	(void)state;
	sweep_init(&s);
	sweep_put(&s, &one, 3);
	sweep_put(&s, &two, 3);
	sweep_put(&s, &three, 3);
	list_remove(&two);
	assert_null(sweep_next(&s, 2));
	assert_ptr_equal(sweep_next(&s, 3), &one);
	sweep_put(&s, &one, 1);
	sweep_all(&s, meet);
	assert_int_equal(met, 2);
	assert_ptr_equal(sweep_next(&s, 3), &three);
	assert_null(sweep_next(&s, 3));
	assert_ptr_equal(sweep_next(&s, 500), &one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_comes_at_its_tick),
		cmocka_unit_test(who_left_does_not_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
