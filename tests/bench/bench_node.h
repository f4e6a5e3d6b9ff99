/* SPDX-License-Identifier: MIT
 * bench_node.h - a real actord with a Redis of its own, for workloads from outside. */
#ifndef BENCH_NODE_H
#define BENCH_NODE_H

#include <sys/types.h>

struct bench_node {
	pid_t pid;
	char folder[64];                /* its state, removed at the end */
	char listen[64], redis[256], control[256];      /* of its ready line */
};

/* Starts the actord beside this program, with its own Redis on a free port; ends the program when
 * that fails. */
void bench_node_start(struct bench_node *n, int workers);
/* The same, with the Redis of another (NULL: its own), and an actor's source (NULL: none). */
void bench_node_start_with(struct bench_node *n, int workers, const char *redis,
                           const char *source);
void bench_node_stop(struct bench_node *n);

#endif
