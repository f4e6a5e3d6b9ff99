/* SPDX-License-Identifier: MIT
 * seeded.h - random numbers for tests that are their seed: it is printed, and SEED=n replays it.
 * ROUNDS=n makes a test go on for longer than the few rounds of every day. */
#ifndef SEEDED_H
#define SEEDED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t seed_state;

static inline uint64_t seeded_u64(void)
{
	uint64_t z = (seed_state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline unsigned seeded(unsigned below)
{
	return (unsigned)(seeded_u64() % below);
}

/* The rounds to do. */
static inline unsigned seeded_begin(const char *test, unsigned rounds)
{
	const char *seed = getenv("SEED"), *more = getenv("ROUNDS");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed_state = seed ? strtoull(seed, NULL, 10)
	                  : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	fprintf(stderr, "%s: SEED=%" PRIu64 " replays this run\n", test, seed_state);
	return more ? (unsigned)strtoul(more, NULL, 10) : rounds;
}

#endif
