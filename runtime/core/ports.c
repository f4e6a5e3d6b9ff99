/* SPDX-License-Identifier: MIT
 * ports.c - the real clock, real random numbers, and choices made from them.
 *
 * Random numbers come from the kernel, 32 at a time for each thread: no lock, about 20 ns a number,
 * and good for secrets too. A forked child would repeat its parent's: it must not draw any. */
#include "ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static int64_t ns_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t mono_ns(void *arg)
{
	(void)arg;
	return ns_of(CLOCK_MONOTONIC);
}

static int64_t boot_ns(void *arg)
{
	(void)arg;
	return ns_of(CLOCK_BOOTTIME);
}

/* What the clock said last serves for a while, which the cycle counter tells: 10 us of one that is
 * quick, 50 us of a slow one. (A question each was a twelfth of a worker's time with another node;
 * actor-bench redis-call.) */
int64_t soon_ns(int64_t *passed)
{
	enum { CYCLES = 50000, SOON_NS = 50000 };
	static _Thread_local uint64_t at;
	static _Thread_local int64_t said;
	uint64_t cycles = __rdtsc();

	if (ports.clock.mono_ns == mono_ns && cycles - at < CYCLES) {
		*passed = said;
		return said + SOON_NS;
	}
	at = cycles;
	return *passed = said = now_ns();
}

static int64_t real_wall_ms(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wall_text(int64_t ms, char out[WALL_TEXT])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, WALL_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, WALL_TEXT - n, ".%03uZ", (unsigned)(ms % 1000) % 1000);
}

static void wait_ms(void *arg, int ms)
{
	(void)arg;
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static uint64_t next(void *arg)
{
	static _Thread_local uint64_t drawn[32];        /* 256 bytes: all that getentropy gives */
	static _Thread_local unsigned left;

	(void)arg;
	if (left == 0) {
		if (getentropy(drawn, sizeof drawn) != 0) {
			perror("actord: no random numbers from the kernel");
			abort();
		}
		left = ARRAY_LEN(drawn);
	}
	return drawn[--left];
}

static uint32_t pick(void *arg, uint32_t n)
{
	(void)arg;
	return (uint32_t)(((random_u64() >> 32) * n) >> 32);
}

struct ports ports = {
	.clock = { mono_ns, boot_ns, real_wall_ms, wait_ms, NULL },
	.random = { next, NULL },
	.choice = { pick, NULL },
};
