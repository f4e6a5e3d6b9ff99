/* SPDX-License-Identifier: MIT
 * kit.c - the seeded ports, the trace, and what is expected of it.
 *
 * Every handler goes into its table as a trampoline: it notes the message, then calls the real
 * one. There are as many trampolines as handlers, so which version of a handler is called is for
 * the core's table to say, not for the kit. A trampoline also ends the turn, where the seed says
 * so, by the tick that ends it in production. */
#include "kit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core.h"
#include "life.h"
#include "log.h"
#include "ports.h"
#include "run.h"
#include "seeded.h"

enum { SLOTS = 256, TYPES = 64, RULES = 128, PASSED = 512, HANDLERS = 64, STOP_MS = 60000,
       TURNS_MAX = 400000, LAG_NS = 3000000 };
enum rule_kind { RULE_EXPECT, RULE_FORBID, RULE_ALLOW };

struct slot { handler *real; const char *name; };
struct rule { const char *actor, *handler; enum rule_kind kind; unsigned times, left; };
struct passed { const char *actor, *handler; unsigned n; };
struct kind {
	const struct actor_type *as;
	struct actor_handler on[HANDLERS];
	struct actor_type traced;
	struct type *type;
	bool patched;
};

static struct {
	uint64_t seed, random, hash;
	int64_t ns;
	bool one_by_one, trace;
	struct actor *forced;
	unsigned allocs, fail_at, turns;
	struct core_totals before;
	struct rule rule[RULES];
	unsigned rules;
	struct passed passed[PASSED];
	unsigned kinds_passed;
} kit;

static struct slot slot[SLOTS];
static unsigned slots;
static struct kind kind[TYPES];
static unsigned kinds;

void kit_failed(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "seed %llu, at %lld ms: ", (unsigned long long)kit.seed,
	        (long long)kit_now());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nreplay: SEED=%llu TRACE=1 %s\n", (unsigned long long)kit.seed,
	        program_invocation_name);
	exit(1);
}

/* --- ports ------------------------------------------------------------------------------- */

static uint64_t draw(void *arg)         /* splitmix64 */
{
	uint64_t z = (kit.random += 0x9e3779b97f4a7c15);

	(void)arg;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint32_t kit_random(uint32_t below)
{
	return (uint32_t)(((draw(NULL) >> 32) * below) >> 32);
}

static int64_t mono_ns(void *arg)
{
	(void)arg;
	return kit.ns;
}

static int64_t virtual_ms(void *arg)
{
	(void)arg;
	return kit.ns / 1000000;
}

int64_t kit_now(void)
{
	return virtual_ms(NULL);
}

static void pass_time(int64_t to_ns)
{
	if (to_ns > kit.ns)
		kit.ns = to_ns;
	core_run_timers();
}

static void wait_ms(void *arg, int ms)
{
	(void)arg;
	if (!core_step())
		pass_time(kit.ns + (int64_t)ms * 1000000);
}

static uint32_t pick(void *arg, uint32_t n)
{
	(void)arg;
	if (++kit.turns > TURNS_MAX)
		kit_failed("no end after %d turns", TURNS_MAX);
	for (uint32_t i = 0; kit.forced && i < n; i++)
		if (seeded_at(i) == kit.forced)
			return i;
	return kit_random(n);
}

static bool refuse(void)
{
	return ++kit.allocs == kit.fail_at;
}

void kit_fail_alloc(unsigned n)
{
	kit.fail_at = n ? kit.allocs + n : 0;
}

unsigned kit_allocs(void)
{
	return kit.allocs;
}

/* --- the trace --------------------------------------------------------------------------- */

static void hash(const void *p, size_t len)     /* FNV-1a */
{
	for (const unsigned char *at = p, *end = at + len; at < end; at++)
		kit.hash = (kit.hash ^ *at) * 1099511628211u;
}

static void hash_text(const char *s)
{
	hash(s, strlen(s) + 1);
}

static void hash_number(uint64_t n)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(n >> 8 * i);
	hash(bytes, sizeof bytes);
}

static const char *title(const actor *self)
{
	return self->name ? name_text(self->name) : type_title(cell_type(self));
}

static void note(const actor *self, const char *what, const msg *m)
{
	hash_text(title(self));
	hash_text(what);
	hash_number((uint64_t)kit_now());
	if (kit.trace)
		printf("%6lld  %s.%s", (long long)kit_now(), title(self), what);
	for (int i = 0; m && i < m->n; i++) {
		struct arg a;

		arg_of_message(&a, m, (unsigned)i);
		hash_number(a.type);
		hash_number(a.p ? a.len : a.bits);
		if (a.p)
			hash(a.p, a.len);
		if (kit.trace && a.type == VALUE_STR)
			printf(" \"%.*s\"", a.len < 40 ? (int)a.len : 40, (const char *)a.p);
		else if (kit.trace)
			printf(" %lld", (long long)a.bits);
	}
	if (kit.trace)
		putchar('\n');
}

/* --- what is to pass --------------------------------------------------------------------- */

static bool fits(const char *rule, const char *is)
{
	return !rule || !strcmp(rule, is);
}

static void add_rule(enum rule_kind as, const char *who, const char *what, unsigned times)
{
	if (kit.rules == RULES)
		kit_failed("more than %d rules", RULES);
	kit.rule[kit.rules++] = (struct rule){ who, what, as, times, times };
}

void kit_expect(const char *who, const char *what, unsigned times)
{
	add_rule(RULE_EXPECT, who, what, times);
}

void kit_forbid(const char *who, const char *what)
{
	add_rule(RULE_FORBID, who, what, 0);
}

void kit_allow(const char *who, const char *what)
{
	add_rule(RULE_ALLOW, who, what, 0);
}

static void hold_to_rules(const char *who, const char *what)
{
	for (unsigned i = kit.rules; i--; ) {
		struct rule *r = &kit.rule[i];

		if (!fits(r->actor, who) || !fits(r->handler, what))
			continue;
		if (r->kind == RULE_FORBID)
			kit_failed("%s.%s is forbidden", who, what);
		if (r->kind == RULE_EXPECT && !r->left--)
			kit_failed("%s.%s is expected %u times, here is one more", who, what,
			           r->times);
		return;
	}
}

/* Texts of names and handlers are interned, so they are compared and kept as they are. */
static void count_passed(const char *who, const char *what)
{
	unsigned at = (unsigned)(((uintptr_t)who * 31 + (uintptr_t)what) >> 3) % PASSED;

	for (unsigned i = 0; i < PASSED; i++, at = (at + 1) % PASSED) {
		struct passed *p = &kit.passed[at];

		if (!p->handler)
			*p = (struct passed){ who, what, 0 };
		if (p->actor == who && p->handler == what) {
			p->n++;
			return;
		}
	}
	kit_failed("more than %d kinds of messages", PASSED);
}

unsigned kit_passed(const char *who, const char *what)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PASSED; i++) {
		const struct passed *p = &kit.passed[i];

		if (p->handler && fits(who, p->actor) && fits(what, p->handler))
			n += p->n;
	}
	return n;
}

/* --- trampolines ------------------------------------------------------------------------- */

static int traced(unsigned i, actor *self, const msg *m)
{
	const char *name = slot[i].name;

	note(self, name, m);
	count_passed(title(self), name);
	hold_to_rules(title(self), name);
	if (kit.one_by_one || kit_random(2))
		COUNT_UP(&run_tick, 1);
	return slot[i].real(self, m);
}

#define ONE(i)  static int t##i(actor *self, const msg *m) { return traced(0x##i, self, m); }
#define ROW(F, r) F(r##0) F(r##1) F(r##2) F(r##3) F(r##4) F(r##5) F(r##6) F(r##7) \
	F(r##8) F(r##9) F(r##a) F(r##b) F(r##c) F(r##d) F(r##e) F(r##f)
#define ALL(F)  ROW(F, 0) ROW(F, 1) ROW(F, 2) ROW(F, 3) ROW(F, 4) ROW(F, 5) ROW(F, 6) ROW(F, 7) \
	ROW(F, 8) ROW(F, 9) ROW(F, a) ROW(F, b) ROW(F, c) ROW(F, d) ROW(F, e) ROW(F, f)
#define PLACE(i) t##i,
ALL(ONE)
static handler *const trampoline[SLOTS] = { ALL(PLACE) };

static handler *trampoline_for(const struct actor_handler *h)
{
	const char *name = name_text(name_of(h->name, strlen(h->name)));

	for (unsigned i = 0; i < slots; i++)
		if (slot[i].real == h->fn && slot[i].name == name)
			return trampoline[i];
	if (slots == SLOTS)
		kit_failed("more than %d handlers", SLOTS);
	slot[slots] = (struct slot){ h->fn, name };
	return trampoline[slots++];
}

static void trace_table(struct actor_handler *out, const struct actor_handler *on)
{
	unsigned n = 0;

	for (; on[n].name; n++) {
		if (n == HANDLERS - 1)
			kit_failed("more than %d handlers in a table", HANDLERS - 1);
		out[n] = on[n];
		out[n].fn = trampoline_for(&on[n]);
	}
	out[n] = (struct actor_handler){ 0 };
}

/* --- actors ------------------------------------------------------------------------------ */

static struct kind *kind_of(const actor *self)
{
	unsigned i = 0;

	while (kind[i].type != cell_type(self))
		i++;
	return &kind[i];
}

static int start(actor *self)
{
	struct kind *k = kind_of(self);

	note(self, "start", NULL);
	return k->as->start ? k->as->start(self) : 0;
}

static void stop(actor *self)
{
	struct kind *k = kind_of(self);

	note(self, "stop", NULL);
	if (k->as->stop)
		k->as->stop(self);
}

static struct kind *kind_as(const struct actor_type *t)
{
	struct kind *k = kind;
	struct why why;

	while (k->as && k->as != t)
		k++;
	if (k->as)
		return k;
	if (kinds++ == TYPES - 1)
		kit_failed("more than %d types", TYPES - 1);
	k->as = t;
	trace_table(k->on, t->on);
	k->traced = *t;
	k->traced.on = k->on;
	k->traced.where = ACTOR_POOL;           /* all on this one thread */
	k->traced.start = start;
	k->traced.stop = stop;
	k->type = core_add_type(&k->traced, NULL, NULL, &why);
	if (!k->type)
		kit_failed("%s", why.text);
	return k;
}

void kit_type(const struct actor_type *t)
{
	kind_as(t);
}

actor_ref kit_spawn(const struct actor_type *t, const char *name)
{
	struct spawn s = { .type = kind_as(t)->type, .name = name };
	struct why why;
	actor_id id;

	return core_spawn(&s, &id, &why) < 0 ? 0 : id;
}

void kit_kill(const char *name)
{
	struct name *n = name_find(name, strlen(name));

	if (n)
		core_end(name_bearer(n));
}

static void change(struct kind *k, const struct actor_handler *on)
{
	struct change c = { .type = k->type, .on = on };
	struct why why;

	if (core_change(&c, 1, 0, NULL, false, &why) < 0)
		kit_failed("%s", why.text);
}

void kit_patch(const struct actor_type *t, const struct actor_handler *on)
{
	struct kind *k = kind_as(t);
	struct actor_handler with[HANDLERS];

	trace_table(with, on);
	change(k, with);
	k->patched = true;
}

/* --- turns and time ---------------------------------------------------------------------- */

unsigned kit_fill(const char *name, const char *what)
{
	actor_ref to = actor_find(name);
	unsigned n = 0;

	while (actor_send(NULL, to, what) == 0)
		n++;
	return n;
}

void kit_one_by_one(bool on)
{
	kit.one_by_one = on;
}

bool kit_step(void)
{
	return core_step();
}

bool kit_pass(const char *name)
{
	struct name *n = name_find(name, strlen(name));
	actor *a = n ? core_actor(name_bearer(n)) : NULL;

	for (uint32_t i = 0; a && seeded_at(i); i++)
		if (seeded_at(i) == a) {
			kit.forced = a;
			core_step();
			kit.forced = NULL;
			return true;
		}
	return false;
}

void kit_run(void)
{
	while (core_step())
		;
}

/* A little time may pass while actors are ready: that they have not had their turn yet is nothing
 * that they could know. When nobody is, it passes until the next timer. */
void kit_run_for(int ms)
{
	int64_t until = kit.ns + (int64_t)ms * 1000000;

	for (;;) {
		int64_t next = core_next_timer(), soon = kit.ns + LAG_NS;

		if ((next > until || kit_random(8)) && core_step())
			continue;
		if (next > until)
			break;
		pass_time(seeded_at(0) && soon < next ? soon : next);
	}
	pass_time(until);
	kit_run();
}

/* --- begin and end ----------------------------------------------------------------------- */

void kit_begin(uint64_t seed)
{
	struct core_config c = { .workers = 0 };
	struct why why;

	memset(&kit, 0, sizeof kit);
	kit.seed = kit.random = seed;
	kit.hash = 14695981039346656037u;
	kit.trace = getenv("TRACE") != NULL;
	log_set_level(kit.trace ? LOG_INFO : LOG_NONE);
	ports.clock = (struct clock_port){ mono_ns, mono_ns, virtual_ms, wait_ms, NULL };
	ports.random = (struct random_port){ draw, NULL };
	ports.choice = (struct choice_port){ pick, NULL };
	mem_refuse = refuse;
	if (core_start(&c, &why) < 0)
		kit_failed("%s", why.text);
	core_totals(&kit.before);
}

static void check_counts(void)
{
	struct core_totals *b = &kit.before, t;
	uint64_t sent, gone;

	core_totals(&t);
	sent = t.sent - b->sent;
	gone = t.handled - b->handled + t.expired - b->expired + t.dead_letters - b->dead_letters;
	if (t.actors || t.waiting)
		kit_failed("%u actors and %u messages are left", t.actors, t.waiting);
	if (sent != gone)
		kit_failed("%llu messages were sent, but %llu handled and %llu dead letters",
		           (unsigned long long)sent, (unsigned long long)(t.handled - b->handled),
		           (unsigned long long)(t.dead_letters - b->dead_letters));
}

uint64_t kit_end(void)
{
	for (unsigned i = 0; i < kit.rules; i++)
		if (kit.rule[i].kind == RULE_EXPECT && kit.rule[i].left)
			kit_failed("%s.%s is expected %u times, %u are missing",
			           kit.rule[i].actor ? kit.rule[i].actor : "any actor",
			           kit.rule[i].handler ? kit.rule[i].handler : "any handler",
			           kit.rule[i].times, kit.rule[i].left);
	kit.rules = 0;
	kit.fail_at = 0;
	if (!core_stop(STOP_MS))
		kit_failed("not all actors end within %d virtual ms", STOP_MS);
	check_counts();
	for (unsigned i = 0; i < kinds; i++)
		if (kind[i].patched) {
			change(&kind[i], kind[i].on);
			kind[i].patched = false;
		}
	return kit.hash;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

unsigned kit_seeds(unsigned n, uint64_t (*fn)(uint64_t seed))
{
	uint64_t first = number("SEED", 1), was, is;
	uint64_t last = getenv("SEED") ? first : number("SEEDS", n);

	fn(0);          /* call sites remember: from here on all seeds meet them alike */
	was = fn(first);
	for (uint64_t seed = first + 1; seed <= last; seed++)
		fn(seed);
	is = fn(first);
	if (is != was)
		kit_failed("the trace's hash was %016llx, and now is %016llx",
		           (unsigned long long)was, (unsigned long long)is);
	return (unsigned)(last - first + 1);
}
