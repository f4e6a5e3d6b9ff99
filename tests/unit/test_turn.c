/* SPDX-License-Identifier: MIT
 * test_turn.c - a turn's end, with somebody else coming between any two steps.
 *
 * run.c and supervise.c are compiled here with a call before each of their looks at shared words
 * and changes of them: there another worker comes and does all that it wants to, as if this one had
 * just lost its processor (as in test_ring.c). Where the actor is idle or parked the other ends it,
 * and somebody is born into its cell who lives at a home: the first worker has nothing to do with
 * that one, whatever step it was about to take. */
#include <stdint.h>

#include "sync.h"

static void gap(void);

#undef LOAD
#undef LOAD_ACQUIRE
#undef STORE
#undef STORE_RELEASE
#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_compare_exchange_strong
#define LOAD(p)             (gap(), atomic_load_explicit(p, memory_order_relaxed))
#define LOAD_ACQUIRE(p)     (gap(), atomic_load_explicit(p, memory_order_acquire))
#define STORE(p, v)         (gap(), atomic_store_explicit(p, v, memory_order_relaxed))
#define STORE_RELEASE(p, v) (gap(), atomic_store_explicit(p, v, memory_order_release))
#define atomic_load(p)      (gap(), atomic_load_explicit(p, memory_order_seq_cst))
#define atomic_store(p, v)  (gap(), atomic_store_explicit(p, v, memory_order_seq_cst))
#define atomic_exchange(p, v) (gap(), atomic_exchange_explicit(p, v, memory_order_seq_cst))
#define atomic_compare_exchange_strong(p, expected, v) (gap(), \
	atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_seq_cst, \
						memory_order_seq_cst))

#include "run.c"
#include "supervise.c"

#include <setjmp.h>
#include <cmocka.h>

#include "core.h"
#include "home.h"

static struct worker first, second, *homes_own;
static struct home *home;
static struct type *type;
static struct actor *waiting[8];                /* for a worker of the pool */
static unsigned wait_count;

static struct actor *guest, *newborn;           /* newborn: NULL, there is none */
static uint64_t guest_id;
static bool parks;                              /* the guest has a child that is to end first */
static uint32_t steps;                          /* until the second worker comes */
static void (*comes)(void);                     /* NULL: it has */
static uint64_t handled_then;                   /* by the first, when the guest had ended */
static int pool_ends, home_ends;

static void gap(void)
{
	void (*who)(void) = comes;

	if (!who || worker_self != &first || --steps)
		return;
	comes = NULL;
	who();
}

/* --- actors ------------------------------------------------------------------------------- */

static void order_stop(const struct actor *a)
{
	post_order(&second, cell_id(a), &(struct order){ FN_STOP, 0, 0, "" });
}

static const struct actor_type of_guest;

static int bear(actor *self, const msg *m)
{
	(void)m;
	return actor_spawn(self, "guest", NULL) ? 0 : ACTOR_EFAIL;
}

/* For an order that comes now there is the look after the turn's end. */
static int go(actor *self, const msg *m)
{
	(void)m;
	if (parks)
		core_end(cell_id(self));
	else
		order_stop(self);
	return 0;
}

static void ended(actor *self)
{
	bool here = self->home == HOME_POOL;

	assert_true(here == (worker_self != homes_own));
	*(here ? &pool_ends : &home_ends) += 1;
}

static const struct actor_type of_guest = {
	.name = "guest", .on = ON({ "bear", "", bear, 0 }, { "go", "", go, 0 }), .stop = ended,
};

static struct actor *spawn_at(struct home *where)
{
	struct spawn s = { .type = type, .home = where };
	struct why why;
	actor_id id;

	assert_int_equal(core_spawn(&s, &id, &why), 0);
	return cell_at((uint32_t)id);
}

/* --- who runs them ------------------------------------------------------------------------ */

/* A child that is told to end: its parent's turn is about to end, too, and gets an order. */
static void make_ready(struct worker *w, struct actor *a)
{
	(void)w;
	if (a->home != HOME_POOL) {
		home_ready(a);
		return;
	}
	assert_in_range(wait_count, 0, ARRAY_LEN(waiting) - 1);
	waiting[wait_count++] = a;
	if (parks && !newborn && a != guest &&
	    LOAD(&guest->stopping) == (END_TOLD | END_CHILDREN))
		order_stop(guest);
}

static void run_all(struct worker *w)
{
	struct worker *before = worker_self;

	worker_self = w;
	while (wait_count) {
		struct actor *a = waiting[--wait_count];

		while (run_alone(w, a))
			;
	}
	worker_self = before;
}

static void run_home(void)
{
	struct worker *before = worker_self;

	worker_self = homes_own;
	while (home_run(home))
		;
	worker_self = before;
}

static void wake(void *arg)
{
	(void)arg;
}

/* --- the second worker -------------------------------------------------------------------- */

/* Somebody brings an order, and loses its processor before it looks whether to wake. */
static void bring_order(struct actor *a)
{
	struct msg *m = message_make(&second.pool, NULL, 0);

	m->gen = LOAD(&a->gen);
	m->fn = FN_STOP;
	m->sig = 0;
	m->from = m->corr = 0;
	cell_overtake(a, m);
}

static bool is_gone(const struct actor *a, uint64_t id)
{
	return cell_id(a) != id;
}

/* The guest ends, where it is not the first worker's any more, and another has its cell. */
static void ends_it(void)
{
	if (is_gone(guest, guest_id))
		return;
	worker_self = &second;
	order_stop(guest);
	run_all(&second);
	if (is_gone(guest, guest_id)) {
		handled_then = LOAD(&first.handled);
		newborn = spawn_at(home);
		assert_ptr_equal(newborn, guest);
		if (parks) {
			actor_send(NULL, cell_id(newborn), "bear");
			actor_send(NULL, cell_id(newborn), "go");
			run_home();
			assert_true(LOAD(&newborn->parked));
		}
		bring_order(newborn);
	}
	worker_self = &first;
}

/* --- the runs ----------------------------------------------------------------------------- */

static void begin(void)
{
	pool_ends = home_ends = 0;
	newborn = NULL;
	worker_self = &second;
	guest = spawn_at(NULL);
	guest_id = cell_id(guest);
	if (parks)
		actor_send(NULL, guest_id, "bear");
	run_all(&second);
	actor_send(NULL, guest_id, "go");
	worker_self = &first;
}

static void end(void)
{
	worker_self = &second;
	run_all(&second);
	run_home();
	if (newborn && !home_ends) {
		order_stop(newborn);
		run_home();
	}
	assert_int_equal(wait_count, 0);
	assert_int_equal(home_ends, newborn ? 1 : 0);
	assert_int_equal(pool_ends, !parks ? 1 : newborn ? 3 : 2);
}

/* The second worker comes at the k-th step. False: there are not so many. */
static bool meet(uint32_t k)
{
	bool came;

	begin();
	assert_int_equal(wait_count, 1);
	wait_count = 0;
	steps = k;
	comes = ends_it;
	while (run_alone(&first, guest))
		;
	came = !comes;
	comes = NULL;
	if (newborn)
		assert_int_equal(LOAD(&first.handled), handled_then);
	end();
	return came;
}

static void each_step(void)
{
	uint32_t k = 1, met = 0;

	while (meet(k)) {
		met += newborn != NULL;
		k++;
	}
	assert_true(met > 0);
}

static void test_the_step_to_idle(void **state)
{
	(void)state;
	parks = false;
	each_step();
}

static void test_parking(void **state)
{
	(void)state;
	parks = true;
	each_step();
}

static int two_workers_and_a_home(void **state)
{
	struct core_config c = { .workers = 0 };
	struct why why;

	(void)state;
	if (core_start(&c, &why) < 0)
		return -1;
	post_ready = make_ready;
	worker_add(&first, "first");
	worker_add(&second, "second");
	first.pooled = second.pooled = true;
	home = home_new("home", wake, NULL);
	home_enter(home);
	homes_own = worker_self;
	type = core_add_type(&of_guest, NULL, NULL, &why);
	return type ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_step_to_idle),
		cmocka_unit_test(test_parking),
	};

	return cmocka_run_group_tests(tests, two_workers_and_a_home, NULL);
}
