/* SPDX-License-Identifier: MIT
 * bench_core.c - the core's workloads, the same that the peers run (Erlang, Go, CAF).
 *
 * The actors are ordinary ones: named handlers, checked signatures, bounded mailboxes, tables that
 * a patch could swap. Where a count decides how long a run takes, a short run first tells the rate.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "ports.h"
#include "slice.h"

static _Atomic uint32_t awaited;
static _Atomic uint32_t done;

static void one_done(void)
{
	if (atomic_fetch_sub(&awaited, 1) != 1)
		return;
	atomic_store(&done, 1);
	syscall(SYS_futex, &done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void expect(uint32_t n)
{
	atomic_store(&done, 0);
	atomic_store(&awaited, n);
}

static void wait_done(void)
{
	while (!atomic_load(&done))
		syscall(SYS_futex, &done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void start(const struct bench_options *o)
{
	struct core_config c = { .workers = o->workers };
	struct why why;

	if (core_start(&c, &why) < 0)
		bench_fail("%s", why.text);
	bench_trace(o);
}

static struct type *add(const struct actor_type *t)
{
	struct why why;
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		bench_fail("%s", why.text);
	return type;
}

static actor_id spawn(struct type *type)
{
	struct spawn s = { .type = type };
	struct why why;
	actor_id id = 0;

	if (core_spawn(&s, &id, &why) < 0)
		bench_fail("%s", why.text);
	return id;
}

static void sent(int rc)
{
	if (rc < 0)
		bench_fail("a send failed: %s", error_name(rc));
}

/* Runs once with few, to learn the rate; then with as many as fill the time. The rate of that. */
static double timed(const struct bench_options *o, int64_t few, void (*once)(int64_t n))
{
	double began = bench_now(), seconds;
	int64_t n;

	once(few);
	seconds = bench_now() - began;
	n = (int64_t)((double)few * o->seconds / seconds) + 1;
	began = bench_now();
	once(n);
	return (double)n / (bench_now() - began);
}

/* --- ping-pong ---------- */

struct player { actor_ref peer; int64_t left; };

static int ping(actor *self, const msg *m)
{
	return actor_send(self, msg_from(m), "pong", msg_int(m, 0));
}

static int pong(actor *self, const msg *m)
{
	struct player *p = actor_state(self);

	(void)m;
	if (--p->left == 0) {
		one_done();
		return 0;
	}
	return actor_send(self, p->peer, "ping", p->left);
}

static int serve(actor *self, const msg *m)
{
	struct player *p = actor_state(self);

	p->peer = (actor_ref)msg_int(m, 0);
	p->left = msg_int(m, 1);
	return actor_send(self, p->peer, "ping", p->left);
}

static const struct actor_type player = {
	.name = "player", .state = sizeof(struct player),
	.on = ON({ "ping", "n:int", ping, 0 }, { "pong", "n:int", pong, 0 },
		{ "serve", "to:int n:int", serve, 0 }),
};

enum { PAIRS = 100 };
static actor_id players[2 * PAIRS];
static int pairs;

static void play(int64_t rounds)
{
	expect((uint32_t)pairs);
	for (int i = 0; i < pairs; i++)
		sent(actor_send(NULL, players[2 * i], "serve", (int64_t)players[2 * i + 1],
				rounds));
	wait_done();
}

static int ping_pong(const struct bench_options *o, int n, const char *name)
{
	struct type *type;

	start(o);
	type = add(&player);
	pairs = n;
	for (int i = 0; i < 2 * n; i++)
		players[i] = spawn(type);
	bench_print(name, n * timed(o, 200000 / n, play), "round-trips/s", o, NULL);
	return 0;
}

int bench_ping_pong(const struct bench_options *o)
{
	return ping_pong(o, 1, "ping-pong");
}

int bench_ping_pong_pairs(const struct bench_options *o)
{
	return ping_pong(o, PAIRS, "ping-pong-pairs");
}

/* --- asks: 100 pairs, each question with a deadline, each answer to a named handler ---------- */

static int told(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_int(m, 0));
}

static int asked(actor *self, const msg *m)
{
	struct player *p = actor_state(self);
	int64_t number;

	if (msg_error(m))
		bench_fail("an ask failed: %s", error_name(msg_error(m)));
	if (p->left-- == 0) {
		one_done();
		return 0;
	}
	number = actor_ask(self, p->peer, "told", "asked", 5000, p->left);
	return number < 0 ? (int)number : 0;
}

static int question(actor *self, const msg *m)
{
	struct player *p = actor_state(self);

	p->peer = (actor_ref)msg_int(m, 0);
	p->left = msg_int(m, 1);
	return asked(self, m);
}

static const struct actor_type askers = {
	.name = "asker", .state = sizeof(struct player),
	.on = ON({ "told", "n:int", told, 0 }, { "asked", "n:int", asked, 0 },
		{ "serve", "to:int n:int", question, 0 }),
};

int bench_ask_pairs(const struct bench_options *o)
{
	struct type *type;

	start(o);
	type = add(&askers);
	pairs = PAIRS;
	for (int i = 0; i < 2 * PAIRS; i++)
		players[i] = spawn(type);
	bench_print("ask-pairs", PAIRS * timed(o, 1000, play), "answers/s", o, NULL);
	return 0;
}

/* --- fan-in: a sender that finds the mailbox full is held ---------- */

enum { SENDERS = 16, CHUNK = 64 };
struct sink { int64_t left; };
struct source { actor_ref to; int64_t left; };
static actor_id sink_id, sources[SENDERS];

static int take(actor *self, const msg *m)
{
	struct sink *s = actor_state(self);

	(void)m;
	if (--s->left == 0)
		one_done();
	return 0;
}

static int fill(actor *self, const msg *m)
{
	((struct sink *)actor_state(self))->left = msg_int(m, 0);
	return 0;
}

static const struct actor_type sink = {
	.name = "sink", .state = sizeof(struct sink), .mailbox = { .full = FULL_HOLD },
	.on = ON({ "take", "n:int", take, 0 }, { "fill", "n:int", fill, 0 }),
};

static int pour(actor *self, const msg *m)
{
	struct source *s = actor_state(self);

	if (msg_count(m) == 2) {
		s->to = (actor_ref)msg_int(m, 0);
		s->left = msg_int(m, 1);
	}
	for (int i = 0; i < CHUNK && s->left; i++, s->left--)
		sent(actor_send(self, s->to, "take", s->left));
	return s->left ? actor_send(self, actor_self(self), "pour") : 0;
}

static const struct actor_type source = {
	.name = "source",
	.state = sizeof(struct source),
	.on = ON({"pour", "to:int? n:int?", pour, 0}),
};

static void fan(int64_t n)
{
	int64_t each = n / SENDERS + 1;

	expect(1);
	sent(actor_send(NULL, sink_id, "fill", each * SENDERS));
	for (int i = 0; i < SENDERS; i++)
		sent(actor_send(NULL, sources[i], "pour", (int64_t)sink_id, each));
	wait_done();
}

int bench_fan_in(const struct bench_options *o)
{
	struct type *type;

	start(o);
	sink_id = spawn(add(&sink));
	type = add(&source);
	for (int i = 0; i < SENDERS; i++)
		sources[i] = spawn(type);
	bench_print("fan-in", timed(o, 200000, fan), "messages/s", o, "\"peak_rss_kib\":%ld",
		    bench_memory("VmHWM"));
	return 0;
}

/* --- ring ---------- */

enum { NODES = 10000, TOKENS = 100 };
static actor_id nodes[NODES];

static int hop(actor *self, const msg *m)
{
	int64_t left = msg_int(m, 0);

	if (left == 1) {
		one_done();
		return 0;
	}
	return actor_send(self, *(actor_ref *)actor_state(self), "hop", left - 1);
}

static int join(actor *self, const msg *m)
{
	*(actor_ref *)actor_state(self) = (actor_ref)msg_int(m, 0);
	one_done();
	return 0;
}

static const struct actor_type node = {
	.name = "node", .state = sizeof(actor_ref),
	.on = ON({ "hop", "n:int", hop, 0 }, { "join", "next:int", join, 0 }),
};

static void go_round(int64_t hops)
{
	expect(TOKENS);
	for (int i = 0; i < TOKENS; i++)
		sent(actor_send(NULL, nodes[i * (NODES / TOKENS)], "hop", hops / TOKENS + 1));
	wait_done();
}

int bench_ring(const struct bench_options *o)
{
	struct type *type;

	start(o);
	type = add(&node);
	expect(NODES);
	for (int i = 0; i < NODES; i++)
		nodes[i] = spawn(type);
	for (int i = 0; i < NODES; i++)
		sent(actor_send(NULL, nodes[i], "join", (int64_t)nodes[(i + 1) % NODES]));
	wait_done();
	bench_print("ring", timed(o, 1000000, go_round), "hops/s", o, NULL);
	return 0;
}

/* --- spawn and idle memory ---------- */

enum { MILLION = 1000000, BROOD = 64 };
struct mother { actor_ref to; int64_t left; };
static bool stay;

static int live(actor *self, const msg *m)
{
	int rc = actor_send(self, (actor_ref)msg_int(m, 0), "take", 1);

	if (!stay)
		actor_stop(self, actor_self(self));
	return rc;
}

static const struct actor_type child = {
	.name = "child", .state = 32, .on = ON({"live", "to:int", live, 0})};

static actor_ref born(actor *self)
{
	actor_ref it = actor_spawn(self, &child, NULL);

	if (!it)
		bench_fail("%s", actor_why(self));
	return it;
}

static int bear(actor *self, const msg *m)
{
	struct mother *s = actor_state(self);

	(void)m;
	for (int i = 0; i < BROOD && s->left; i++, s->left--)
		sent(actor_send(self, born(self), "live", (int64_t)s->to));
	return s->left ? actor_send(self, actor_self(self), "bear") : 0;
}

static const struct actor_type mother = {
	.name = "mother", .state = sizeof(struct mother), .on = ON({ "bear", "", bear, 0 }),
};

static void bring_up(struct mother *init)
{
	struct spawn s = { .type = add(&mother), .init = init, .size = sizeof *init };
	struct why why;
	actor_id id;

	expect(1);
	sent(actor_send(NULL, init->to, "fill", init->left));
	if (core_spawn(&s, &id, &why) < 0)
		bench_fail("%s", why.text);
	sent(actor_send(NULL, id, "bear"));
	wait_done();
}

int bench_spawn(const struct bench_options *o)
{
	struct mother init = { .left = MILLION };
	double began;

	start(o);
	init.to = spawn(add(&sink));
	began = bench_now();
	bring_up(&init);
	bench_print("spawn", MILLION / (bench_now() - began), "actors/s", o, NULL);
	return 0;
}

int bench_scrape(const struct bench_options *o)
{
	struct mother init = { .left = MILLION };

	start(o);
	stay = true;
	init.to = spawn(add(&sink));
	bring_up(&init);
	return bench_look(o);
}

int bench_idle_memory(const struct bench_options *o)
{
	struct mother init = { .left = MILLION };
	long before;

	start(o);
	stay = true;
	init.to = spawn(add(&sink));
	before = bench_memory("VmRSS");
	bring_up(&init);
	bench_print("idle-memory", (double)(bench_memory("VmRSS") - before) * 1024 / MILLION,
		    "bytes/actor", o, NULL);
	return 0;
}

/* --- big ---------- */

enum { CROWD = 1000 };
struct one { uint32_t x; int64_t left; };
static actor_id crowd[CROWD];

static int greet(actor *self, const msg *m)
{
	return actor_send(self, msg_from(m), "reply");
}

static int reply(actor *self, const msg *m)
{
	struct one *s = actor_state(self);

	(void)m;
	if (s->left-- <= 0) {
		one_done();
		return 0;
	}
	s->x = (s->x * 1103515245u + 12345u) & 0x7fffffff;
	return actor_send(self, crowd[(s->x >> 8) % CROWD], "greet");
}

static int mingle(actor *self, const msg *m)
{
	struct one *s = actor_state(self);

	s->x = (uint32_t)msg_int(m, 0) * 7919 + 1;
	s->left = msg_int(m, 1);
	return reply(self, m);
}

static const struct actor_type one = {
	.name = "one", .state = sizeof(struct one),
	.on = ON({ "greet", "", greet, 0 }, { "reply", "", reply, 0 },
		{ "mingle", "seed:int n:int", mingle, 0 }),
};

static void party(int64_t n)
{
	expect(CROWD);
	for (int i = 0; i < CROWD; i++)
		sent(actor_send(NULL, crowd[i], "mingle", i, n / CROWD / 2 + 1));
	wait_done();
}

int bench_big(const struct bench_options *o)
{
	struct type *type;

	start(o);
	type = add(&one);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = spawn(type);
	bench_print("big", timed(o, 400000, party), "messages/s", o, NULL);
	return 0;
}

/* --- fairness ---------- */

enum { BUSY_MS = 10, PACE_MS = 5, SAMPLES_MAX = 100000 };
static volatile uint32_t burnt;
static long steps;
static double late[SAMPLES_MAX];
static _Atomic uint32_t samples;

static void burn(long n)
{
	uint32_t x = 1;

	for (long i = 0; i < n; i++)
		x = (x * 1103515245u + 12345u) & 0x7fffffff;
	burnt = x;
}

static int hog(actor *self, const msg *m)
{
	(void)m;
	burn(steps);
	return actor_send(self, actor_self(self), "hog");
}

static const struct actor_type hogs = { .name = "hog", .on = ON({ "hog", "", hog, 0 }) };

struct pacer { int64_t due; actor_ref peer; };

static int tick(actor *self, const msg *m)
{
	struct pacer *p = actor_state(self);

	p->due = msg_int(m, 0);
	p->peer = (actor_ref)msg_int(m, 1);
	return actor_send(self, p->peer, "ping", 1);
}

static int paced(actor *self, const msg *m)
{
	struct pacer *p = actor_state(self);
	uint32_t i = atomic_load(&samples);

	(void)m;
	late[i] = (double)(now_ns() - p->due) * 1e-3;
	atomic_store(&samples, i + 1);
	return 0;
}

static const struct actor_type pacers = {
	.name = "pacer", .state = sizeof(struct pacer),
	.on = ON({ "tick", "due:int peer:int", tick, 0 }, { "pong", "n:int", paced, 0 }),
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void calibrate(void)
{
	const long n = 50000000;
	double began;

	burn(n);
	began = bench_now();
	burn(n);
	steps = (long)((double)n * BUSY_MS * 1e-3 / (bench_now() - began));
}

int bench_fairness(const struct bench_options *o)
{
	struct type *type;
	actor_id pacer, peer;
	int64_t due, n = (int64_t)(o->seconds * 1000 / PACE_MS);
	uint32_t got;

	calibrate();
	start(o);
	slice_prompt();                 /* as the I/O loop's thread, whose timers these are */
	type = add(&hogs);
	for (int i = 0; i < o->workers; i++)
		sent(actor_send(NULL, spawn(type), "hog"));
	pacer = spawn(add(&pacers));
	peer = spawn(add(&player));
	due = now_ns() + 200000000;
	for (int64_t i = 0; i < n && i < SAMPLES_MAX; i++) {
		due += PACE_MS * 1000000 + (int64_t)(random_u64() % 1000) * 1000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
		                &(struct timespec){ due / 1000000000, due % 1000000000 }, NULL);
		sent(actor_send(NULL, pacer, "tick", due, (int64_t)peer));
	}
	due += 200000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
			&(struct timespec){due / 1000000000, due % 1000000000}, NULL);
	got = atomic_load(&samples);
	if (!got)
		bench_fail("no reply of %lld", (long long)n);
	qsort(late, got, sizeof *late, by_size);
	bench_print("fairness", late[(size_t)(0.99 * got)], "us", o,
		    "\"p50\":%.1f,\"max\":%.1f,\"samples\":%u", late[got / 2], late[got - 1], got);
	return 0;
}
