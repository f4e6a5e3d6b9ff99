/* SPDX-License-Identifier: MIT
 * bench.h - what the workloads of actor-bench share. */
#ifndef BENCH_H
#define BENCH_H

#include "core.h"

/* trace: one message in so many; 0: none */
struct bench_options { int workers; double seconds; int64_t trace; };

/* A workload: prints its JSON lines, the headline figure last. 0, or 1 when it could not be
 * measured. */
typedef int workload(const struct bench_options *o);

workload bench_ping_pong, bench_ping_pong_pairs, bench_ask_pairs, bench_fan_in, bench_ring,
	bench_spawn,
	bench_scrape, bench_trace_cost,
	bench_idle_memory, bench_big, bench_fairness, bench_redis_list, bench_redis_call,
	bench_redis_low,
	bench_redis_stream, bench_patch_latency,
	bench_patch_memory, bench_patch_swap,
	bench_patch_back,
	bench_ws_echo, bench_ws_save;

void   bench_print(const char *name, double value, const char *unit, const struct bench_options *o,
                   const char *more, ...) PRINTF(5, 6);    /* more: further keys, or NULL */
void   bench_trace(const struct bench_options *o);     /* for good, if that was asked for */
/* Scrapes, and top, of the core as it is. */
int    bench_look(const struct bench_options *o);
double bench_now(void);                 /* seconds */
double bench_cpu(int pid);              /* seconds that a process has computed */
long   bench_memory(const char *key);   /* KiB; a line of /proc/self/status: "VmRSS" */
void   bench_fail(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#endif
