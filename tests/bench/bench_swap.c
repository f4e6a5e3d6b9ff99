/* SPDX-License-Identifier: MIT
 * bench_swap.c - patch-swap: what it costs messages in flight when handlers are swapped under them.
 *
 * Feeders fill the mailboxes of eaters as fast as they can, which hold them when they are full.
 * Slices with and without swaps take turns; in the first both types are swapped all the time, at
 * one point. Each feeder numbers what it sends, each eater looks that nothing is missing or out of
 * order. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

enum { PAIRS = 8, LOT = 64, SLICE_MS = 20, PAUSE_US = 100 };

struct feeder { actor_ref to; int64_t next; };
struct eater { int64_t expected; };

static _Atomic int64_t eaten, fed, spoilt;
static _Atomic bool ended;

static int feed(actor *self, const msg *m)
{
	struct feeder *f = actor_state(self);

	(void)m;
	for (int i = 0; i < LOT; i++)
		if (actor_send(self, f->to, "eat", f->next++) < 0)
			spoilt++;
	fed += LOT;
	return ended ? 0 : actor_send(self, actor_self(self), "feed");
}

static int feed_too(actor *self, const msg *m)
{
	return feed(self, m);
}

static int begin(actor *self, const msg *m)
{
	((struct feeder *)actor_state(self))->to = (actor_ref)msg_int(m, 0);
	return actor_send(self, actor_self(self), "feed");
}

static int eat(actor *self, const msg *m)
{
	struct eater *e = actor_state(self);

	if (msg_int(m, 0) != e->expected++)
		spoilt++;
	if (e->expected % LOT == 0)
		eaten += LOT;
	return 0;
}

static int eat_too(actor *self, const msg *m)
{
	return eat(self, m);
}

static const struct actor_type feeder = {
	.name = "feeder", .state = sizeof(struct feeder),
	.on = ON({ "feed", "", feed, 0 }, { "begin", "to:int", begin, 0 }),
};
static const struct actor_type eater = {
	.name = "eater", .state = sizeof(struct eater), .mailbox = { .full = FULL_HOLD },
	.on = ON({ "eat", "n:int", eat, 0 }),
};
static const struct actor_handler *const feeds[2] = {
	ON({ "feed", "", feed, 0 }), ON({ "feed", "", feed_too, 0 }),
};
static const struct actor_handler *const eats[2] = {
	ON({ "eat", "n:int", eat, 0 }), ON({ "eat", "n:int", eat_too, 0 }),
};

static struct type *add(const struct actor_type *t)
{
	struct why why;
	struct type *type = core_add_type(t, NULL, NULL, &why);

	if (!type)
		bench_fail("%s", why.text);
	return type;
}

static actor_id spawn(struct type *t)
{
	struct spawn s = { .type = t };
	struct why why;
	actor_id id;

	if (core_spawn(&s, &id, &why) < 0)
		bench_fail("%s", why.text);
	return id;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

/* ns a message, for SLICE_MS. */
static double slice(struct type *const types[2], uint32_t *version, bool swap)
{
	double began = bench_now(), now;
	int64_t before = eaten;

	do {
		struct change c[2] = { { types[0], feeds[*version % 2], NULL },
		                       { types[1], eats[*version % 2], NULL } };
		struct why why;

		if (swap && core_change(c, 2, ++*version, NULL, false, &why) < 0)
			bench_fail("%s", why.text);
		pause_us(PAUSE_US);
		now = bench_now();
	} while (now - began < SLICE_MS / 1e3);
	return (now - began) * 1e9 / (double)(eaten - before + 1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int bench_patch_swap(const struct bench_options *o)
{
	struct core_config config = { .workers = o->workers };
	int n = (int)(o->seconds * 1000 / (2 * SLICE_MS)) + 1;
	double *with = calloc((size_t)n, sizeof *with), *without = calloc((size_t)n, sizeof *with);
	struct type *types[2];
	uint32_t version = 0;
	struct why why;

	if (core_start(&config, &why) < 0)
		bench_fail("%s", why.text);
	types[0] = add(&feeder);
	types[1] = add(&eater);
	for (int i = 0; i < PAIRS; i++)
		actor_send(NULL, spawn(types[0]), "begin", (int64_t)spawn(types[1]));
	slice(types, &version, true);
	for (int i = 0; i < n; i++) {
		with[i] = slice(types, &version, true);
		without[i] = slice(types, &version, false);
	}
	ended = true;
	core_drain(5000);
	core_stop(5000);
	if (spoilt || eaten != fed)
		bench_fail("%lld messages of %lld lost or out of order",
		           (long long)(spoilt + fed - eaten), (long long)fed);
	qsort(with, (size_t)n, sizeof *with, by_size);
	qsort(without, (size_t)n, sizeof *with, by_size);
	bench_print("patch-swap", with[n / 2] - without[n / 2], "ns/message", o,
	            "\"with\":%.1f,\"without\":%.1f,\"swaps\":%u,\"messages\":%lld,\"lost\":0,"
	            "\"out_of_order\":0", with[n / 2], without[n / 2], version, (long long)fed);
	free(with);
	free(without);
	return 0;
}
