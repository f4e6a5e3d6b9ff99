/* SPDX-License-Identifier: MIT
 * bench_pair.h - two nodes that share a Redis: one hosts the actor `sink`, the other `load`. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <hiredis/hiredis.h>
#include <stdint.h>

#include "bench_node.h"

struct bench_pair { struct bench_node a, b; redisContext *c; };

/* load: an actor's source; `sink` answers echo(s:str) with what it was given. */
void    bench_pair_start(struct bench_pair *p, const char *load);
void    bench_pair_stop(struct bench_pair *p);
/* Asks an actor by its list: an int, or -1 for an error. args: JSON, without the brackets. */
int64_t bench_asked(redisContext *c, const char *topic, const char *func, const char *args);
/* Asks `load` until it succeeds, which is when the nodes have found each other. */
void    bench_begin(redisContext *c, const char *func, const char *args);

#endif
