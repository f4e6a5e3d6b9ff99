/* SPDX-License-Identifier: MIT
 * bench_ws.h - the load beside actor-bench, for the workloads that need it. */
#ifndef BENCH_WS_H
#define BENCH_WS_H

#include <stdio.h>
#include <sys/types.h>

/* Runs tests/bench-NAME; argv[0] is set. Gives its stdout; ends the bench where it cannot. */
FILE  *bench_ws_start(const char *name, char **argv, pid_t *pid);
/* The number at a key of one JSON line; 0: there is none. */
double bench_ws_field(const char *line, const char *key);

#endif
