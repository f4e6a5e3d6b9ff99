/* SPDX-License-Identifier: MIT
 * test_switch.c - several types switch at one point, while messages hop between them: each message
 * carries the number of the code that sent it, and none may ever be met by older code. By patches,
 * by taking back, and with states that change their shape; hundreds of times, no message lost. */
#include "worker.h"         /* first: it has a parameter that running.h has a name for */
#include "running.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SIDES = 2, ACTORS = 16, TOKENS = 24, VARIANTS = 6, SWITCHES = 600, SHAPES = 40 };
enum { FREE, LIVE, FILLERS = 200 };     /* fillers: types that widen the gap between the two */

static _Atomic int64_t number[VARIANTS];        /* of the patch that its code came with */
static _Atomic int in_use[VARIANTS];
static _Atomic uint64_t wrong, hops[SIDES], born, timers;
static _Atomic int64_t met, ended;
static actor_id all[SIDES][ACTORS];
static struct type *types[SIDES];
static const char *const *names;                /* of the types that are born */

/* --- the actors -------------------------------------------------------------------------- */

struct small { int64_t shape, n; };
struct large { int64_t filler[12], shape, n; };
struct side { const char *name; int other; };
static const struct side side[SIDES] = { { "left", 1 }, { "right", 0 } };

static void meet(int64_t sent_by, int v)
{
	int64_t mine = number[v];

	if (sent_by > mine)
		wrong++;
	if (mine > met)
		met = mine;
}

static void be_born(actor *self, int to, int64_t mine)
{
	actor_ref a = actor_spawn(self, names[to], NULL);

	if (a)
		actor_send(self, a, "young", mine);
}

static int hop(actor *self, const msg *m, int v, int here)
{
	int64_t mine = number[v];
	uint64_t n = ++hops[here];
	int to = side[here].other;

	meet(msg_int(m, 0), v);
	if (ended) {
		happened(mine, "");
		return 0;
	}
	if (n % 64 == 0)
		be_born(self, to, mine);
	if (n % 64 == 1)
		actor_after(self, 1, "late", mine);
	return actor_send(self, all[to][n * 7919 % ACTORS], "hop", mine);
}

static int young(actor *self, const msg *m, int v)
{
	meet(msg_int(m, 0), v);
	born++;
	return actor_stop(self, actor_self(self));
}

static int late(actor *self, const msg *m, int v)
{
	(void)self;
	meet(msg_int(m, 0), v);
	timers++;
	return 0;
}

#define CODE(v) \
	static int left##v(actor *self, const msg *m) { return hop(self, m, v, 0); } \
	static int right##v(actor *self, const msg *m) { return hop(self, m, v, 1); } \
	static int young##v(actor *self, const msg *m) { return young(self, m, v); } \
	static int late##v(actor *self, const msg *m) { return late(self, m, v); }
CODE(0) CODE(1) CODE(2) CODE(3) CODE(4) CODE(5)
#define TABLE(first, v) ON({ "hop", "by:int", first##v, 0 }, { "young", "by:int", young##v, 0 }, \
                           { "late", "by:int", late##v, 0 })
static const struct actor_handler *const table[SIDES][VARIANTS] = {
	{ TABLE(left, 0), TABLE(left, 1), TABLE(left, 2), TABLE(left, 3), TABLE(left, 4),
	  TABLE(left, 5) },
	{ TABLE(right, 0), TABLE(right, 1), TABLE(right, 2), TABLE(right, 3), TABLE(right, 4),
	  TABLE(right, 5) },
};

/* --- the load ---------------------------------------------------------------------------- */

static void begin(const char *const of[SIDES])
{
	names = of;
	met = ended = 0;
	for (int s = 0; s < SIDES; s++)
		for (int i = 0; i < ACTORS; i++)
			all[s][i] = spawn(types[s], NULL);
	for (int i = 0; i < TOKENS; i++)
		actor_send(NULL, all[i % SIDES][i % ACTORS], "hop", 0);
}

static void end(void)
{
	ended = 1;
	expect_events(TOKENS);
	assert_true(core_drain(20000));
	assert_int_equal(events, TOKENS);
	assert_int_equal(wrong, 0);
}

/* --- handlers alone ---------------------------------------------------------------------- */

static void give_back(void *arg)
{
	*(_Atomic int *)arg = FREE;
}

/* Code whose number can change, as nobody is inside it any more. */
static int take_variant(int64_t n, struct code **code)
{
	int v = (int)(n % VARIANTS);

	while (in_use[v] == LIVE) {
		core_grace();
		sched_yield();
	}
	in_use[v] = LIVE;
	number[v] = n;
	*code = code_new(give_back, (void *)&in_use[v]);
	return v;
}

static struct type *filler[FILLERS];

static int patch_both(int64_t n, int v, struct code *code, struct why *why)
{
	struct change c[FILLERS + SIDES] = { { types[n / 2 % 2], table[n / 2 % 2][v], NULL } };

	for (int i = 0; i < FILLERS; i++)
		c[i + 1] = (struct change){ filler[i], &table[0][v][2], NULL };
	c[FILLERS + 1] = (struct change){ types[!(n / 2 % 2)], table[!(n / 2 % 2)][v], NULL };
	return core_change(c, FILLERS + SIDES, (uint32_t)n, code, false, why);
}

static int restore_both(int64_t n, int v, struct code *code, struct why *why)
{
	struct back b[2 * 3];

	for (int i = 0; i < 2 * 3; i++) {
		const struct actor_handler *h = &table[i % SIDES][v][i / SIDES];

		b[i] = (struct back){ types[i % SIDES], h->name, h, (uint32_t)n, code, false };
	}
	return core_restore(b, 2 * 3, why);
}

static void handlers(void **state)
{
	static char fill_names[FILLERS][12];
	struct actor_type t = { .budget_ms = 60000 };   /* whatever the machine's load is */

	(void)state;
	for (int s = 0; s < SIDES; s++) {
		t.name = side[s].name;
		t.on = table[s][0];
		in_use[0] = LIVE;
		types[s] = add(&t);
	}
	for (int i = 0; i < FILLERS; i++) {
		snprintf(fill_names[i], sizeof fill_names[i], "filler%d", i);
		t.name = fill_names[i];
		t.on = &table[0][0][2];
		filler[i] = add(&t);
	}
	begin((const char *const[]){ side[0].name, side[1].name });
	for (int64_t n = 1; n <= SWITCHES; n++) {
		struct code *code;
		int v = n % VARIANTS ? take_variant(n, &code) : -1;
		struct why why;

		if (v < 0)              /* the program's own, number 0, is never in force again */
			continue;
		if ((n % 2 ? patch_both : restore_both)(n, v, code, &why) < 0)
			fail_msg("%s", why.text);
		code_drop(code);
		if (n % 8 == 1)
			UNTIL(met >= n);
	}
	UNTIL(born && timers);
	end();
}

/* --- shapes ------------------------------------------------------------------------------ */

static _Atomic int64_t round_now;

static int hop_shape(actor *self, const msg *m, bool large, int here)
{
	struct small *s = actor_state(self);
	struct large *l = actor_state(self);
	int64_t by = msg_int(m, 0), now = round_now;
	uint64_t n = ++hops[here];
	int to = side[here].other;

	if ((large ? l->shape : s->shape) != (large ? 2 : 1))
		wrong++;
	/* odd rounds end with large: what large has sent then must not meet small */
	if (by / 2 == now && (by & 1) != large && (now & 1) == (by & 1))
		wrong++;
	if (large == (now & 1) && now > met)
		met = now;
	if (ended) {
		happened(now, "");
		return 0;
	}
	if (n % 64 == 0)
		be_born(self, to, now * 2 + large);
	return actor_send(self, all[to][n * 7919 % ACTORS], "hop", now * 2 + large);
}

static int left_small(actor *self, const msg *m) { return hop_shape(self, m, false, 0); }
static int left_large(actor *self, const msg *m) { return hop_shape(self, m, true, 0); }
static int right_small(actor *self, const msg *m) { return hop_shape(self, m, false, 1); }
static int right_large(actor *self, const msg *m) { return hop_shape(self, m, true, 1); }

static int young_shape(actor *self, bool large)
{
	struct small *s = actor_state(self);
	struct large *l = actor_state(self);

	if ((large ? l->shape : s->shape) != (large ? 2 : 1))
		wrong++;
	return actor_stop(self, actor_self(self));
}
static int young_small(actor *self, const msg *m) { (void)m; return young_shape(self, false); }
static int young_large(actor *self, const msg *m) { (void)m; return young_shape(self, true); }

static int start_small(actor *self)
{
	((struct small *)actor_state(self))->shape = 1;
	return 0;
}

static int start_large(actor *self)
{
	((struct large *)actor_state(self))->shape = 2;
	return 0;
}

static int widen(const void *from, void *to)
{
	struct large *l = to;

	wrong += ((const struct small *)from)->shape != 1;
	l->shape = 2;
	return 0;
}

static int narrow(const void *from, void *to)
{
	struct small *s = to;

	wrong += ((const struct large *)from)->shape != 2;
	s->shape = 1;
	return 0;
}

#define SHAPED(side_name, first, size) { .name = #side_name "_shaped", \
	.state = sizeof(struct size), .start = start_##size, \
	.on = ON({ "hop", "by:int", first##_##size, 0 }, { "young", "by:int", young_##size, 0 }) }
static const struct actor_type shaped[SIDES][2] = {
	{ SHAPED(left, left, small), SHAPED(left, left, large) },
	{ SHAPED(right, right, small), SHAPED(right, right, large) },
};

static int migrate_both(uint32_t n, struct why *why)
{
	struct migration m[SIDES] = { { &shaped[0][1], widen, narrow },
	                              { &shaped[1][1], widen, narrow } };
	struct change c[SIDES] = { { types[0], shaped[0][1].on, &m[0] },
	                           { types[1], shaped[1][1].on, &m[1] } };

	return core_change(c, SIDES, n, NULL, false, why);
}

static int both_back(struct why *why)
{
	struct back b[SIDES] = { { .type = types[0] }, { .type = types[1] } };

	return core_restore(b, SIDES, why);
}

/* Who has begun before is done: nobody takes this round for the next. */
static void let_go(void *arg)
{
	*(_Atomic bool *)arg = true;
}

static void grace(void)
{
	static _Atomic bool over;

	over = false;
	worker_retire(let_go, &over);
	while (!over) {
		worker_reclaim();
		sched_yield();
	}
}

static void shapes(void **state)
{
	struct why why;

	(void)state;
	for (int s = 0; s < SIDES; s++)
		types[s] = add(&shaped[s][0]);
	round_now = 0;
	begin((const char *const[]){ shaped[0][0].name, shaped[1][0].name });
	for (uint32_t n = 1; n <= SHAPES; n++) {
		UNTIL(met >= n - 1);
		grace();
		round_now = n;
		if ((n % 2 ? migrate_both(n, &why) : both_back(&why)) < 0)
			fail_msg("%s", why.text);
		for (int s = 0; s < SIDES; s++) {
			assert_ptr_not_equal(core_type(shaped[s][0].name), types[s]);
			types[s] = core_type(shaped[s][0].name);
		}
	}
	end();
}

/* A patch with one table that cannot be changes none. */
static void all_or_none(void **state)
{
	struct change c[SIDES] = { { types[0], shaped[0][0].on, NULL },
	                           { types[1], ON({ "hop", "by:str", right_small, 0 }), NULL } };
	struct handler_info h;
	struct why why;
	actor_id id = spawn(types[0], NULL);

	(void)state;
	assert_int_equal(core_change(c, SIDES, 99999, NULL, false, &why), ACTOR_EARGS);
	assert_int_equal(core_handler(id, "hop", &h), 0);
	assert_int_not_equal(h.version, 99999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(handlers, setup),
		cmocka_unit_test_setup(shapes, setup),
		cmocka_unit_test_setup(all_or_none, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
