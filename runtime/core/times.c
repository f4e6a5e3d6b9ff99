/* SPDX-License-Identifier: MIT
 * times.c - see times.h.
 *
 * A busy worker times one call in SAMPLE_MOST, one that has long calls or few times each: so that
 * timing costs the same share of what the calls cost, and a slow handler is seen at its first call.
 * A timed call counts for all since the one before. Times are counted by half octaves. The owner
 * writes, any thread reads. */
#include "times.h"

#include <pthread.h>
#include <x86intrin.h>

#include "ports.h"

enum {
	SAMPLE_MOST = 64,
	SAMPLE_CYCLES = 25000,          /* about ten microseconds: so often there may be a sample */
	FIRST_BIT = 6,                  /* the first count: below 1 << 6 cycles */
};

static double cycles_a_ns;

static void measure(void)
{
	uint64_t cycles = __rdtsc();
	int64_t ns = now_ns();

	while (now_ns() - ns < 2000000)
		__builtin_ia32_pause();
	cycles_a_ns = (double)(__rdtsc() - cycles) / (double)(now_ns() - ns);
}

double times_cycles_per_ns(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, measure);
	return cycles_a_ns;
}

/* --- counting ----------------------------------------------------------------------------- */

static unsigned place(uint64_t cycles)
{
	unsigned bit = cycles ? 63 - (unsigned)__builtin_clzll(cycles) : 0, at;

	if (bit < FIRST_BIT)
		return 0;
	at = 1 + 2 * (bit - FIRST_BIT) + (cycles >> (bit - 1) & 1);
	return at < TIME_PLACES ? at : TIME_PLACES - 1;
}

/* Cycles at which place `at` begins. */
static double begins(unsigned at)
{
	double octave;

	if (!at)
		return 0;
	octave = (double)(1ull << (FIRST_BIT + (at - 1) / 2));
	return (at - 1) & 1 ? octave * 1.5 : octave;
}

COLD void times_add(struct worker *w, struct call_count *c, uint64_t began)
{
	uint64_t now = __rdtsc(), cycles = now - began,
		 apart = (now - w->sampled) / w->sample_every;
	struct call_times *t = LOAD(&c->times);

	if (unlikely(!t)) {
		t = mem_alloc(sizeof *t);
		t->next = w->owned;
		w->owned = t;
		STORE_RELEASE(&c->times, t);
	}
	COUNT_UP(&c->ns, cycles * w->sample_every);
	COUNT_UP(&t->count[place(cycles)], w->sample_every);
	if (cycles > LOAD(&t->most))
		STORE(&t->most, cycles);
	w->sampled = now;
	w->sample_every = apart >= SAMPLE_CYCLES ? 1 :
	                  apart * SAMPLE_MOST <= SAMPLE_CYCLES ? SAMPLE_MOST :
	                  (uint32_t)(SAMPLE_CYCLES / apart);
	w->sample_left = w->sample_every;
}

/* --- looking ------------------------------------------------------------------------------ */

void core_handler_times(const struct handler_info *h, struct handler_times *out)
{
	*out = (struct handler_times){ .most_ns = 0 };
	for (uint32_t i = 0; i < worker_count(); i++) {
		struct worker *w = worker_at(i);
		struct call_count *c = w ? worker_counted(w, h->slot) : NULL;
		struct call_times *t = c ? LOAD_ACQUIRE(&c->times) : NULL;
		int64_t most;

		if (!t)
			continue;
		most = (int64_t)((double)LOAD(&t->most) / times_cycles_per_ns());
		out->most_ns = most > out->most_ns ? most : out->most_ns;
		for (unsigned k = 0; k < TIME_PLACES; k++)
			out->count[k] += LOAD(&t->count[k]);
	}
}

double core_times_below(const struct handler_times *t, int64_t ns)
{
	double limit = (double)ns * times_cycles_per_ns(), n = 0;

	for (unsigned at = 0; at < TIME_PLACES && begins(at) < limit; at++) {
		double first = begins(at), size = at < TIME_PLACES - 1 ? begins(at + 1) - first : 0;
		double part = size > 0 && first + size > limit ? (limit - first) / size : 1;

		n += (double)t->count[at] * part;
	}
	return n;
}

int64_t core_times_part(const struct handler_times *t, double part)
{
	double all = 0, left, cycles;
	unsigned at = 0;
	int64_t ns;

	for (unsigned k = 0; k < TIME_PLACES; k++)
		all += (double)t->count[k];
	if (all == 0)
		return 0;
	for (left = all * part; at < TIME_PLACES - 1 && left > (double)t->count[at]; at++)
		left -= (double)t->count[at];
	cycles = begins(at);
	if (at < TIME_PLACES - 1 && t->count[at])
		cycles += (begins(at + 1) - cycles) * left / (double)t->count[at];
	ns = (int64_t)(cycles / times_cycles_per_ns());
	return t->most_ns && ns > t->most_ns ? t->most_ns : ns;
}
