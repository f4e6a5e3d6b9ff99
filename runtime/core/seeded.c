/* SPDX-License-Identifier: MIT
 * seeded.c - the scheduler without threads: the thread that calls core_step() is the one worker.
 *
 * Ready actors lie in a list, and ports.choice says which of them has its turn. All else is the
 * production code, and with the clock and the choice from a seed the whole run is that seed, again
 * and again. Nothing here is for use by two threads; homes may be there, on the same thread. */
#include "seeded.h"

#include "core.h"
#include "home.h"
#include "ports.h"
#include "run.h"

static struct {
	struct worker w;
	bool added;
	uint32_t *ready;
	uint32_t n, cap;
} seeded;

static void ready(struct worker *w, struct actor *a)
{
	(void)w;
	if (a->home != HOME_POOL) {
		home_ready(a);
		return;
	}
	if (seeded.n == seeded.cap) {
		seeded.cap = seeded.cap ? 2 * seeded.cap : 64;
		seeded.ready = mem_resize(seeded.ready, seeded.cap * sizeof *seeded.ready);
	}
	seeded.ready[seeded.n++] = cell_index(a);
}

void seeded_start(void)
{
	if (!seeded.added)
		worker_add(&seeded.w, "seeded");
	seeded.added = true;
	worker_self = &seeded.w;
	post_ready = ready;
}

bool seeded_stop(void)
{
	worker_self = NULL;
	worker_reclaim();
	return seeded.n == 0;
}

struct actor *seeded_at(uint32_t i)
{
	return i < seeded.n ? cell_at(seeded.ready[i]) : NULL;
}

/* A list that keeps its order: what the choice means does not hang on how it is kept. */
bool core_step(void)
{
	uint32_t i = seeded.n ? ports.choice.pick(ports.choice.arg, seeded.n) : 0;
	struct actor *a = seeded_at(i);

	if (!a)
		return false;
	seeded.n--;
	memmove(seeded.ready + i, seeded.ready + i + 1, (seeded.n - i) * sizeof *seeded.ready);
	if (run_alone(&seeded.w, a))
		ready(&seeded.w, a);
	return true;
}
