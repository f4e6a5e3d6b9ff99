/* SPDX-License-Identifier: MIT
 * outcomes.h - sends a rollout (rollout.h), and says what became of it on each node. The loop's
 * thread. Actors ask `bus`:
 *   rollout  source:str options:map    for file author note probation: str; wait_ms: int; all but
 *                                      for may be left out.
 *                                      Answered by id:str outcomes:list, when each node of the
 *                                      group that is there has said what became of it, or after
 *                                      wait_ms; refused where this node is in the group and its
 *                                      own check refuses the source: then nobody gets it
 *   rollouts                           answered by a list, the oldest first
 *   rollouts id:str                    answered by the outcomes of that one
 * An outcome is a map: node patch state why; its state is "not yet" for one that has not said. */
#ifndef OUTCOMES_H
#define OUTCOMES_H

#include "rollout.h"

struct outcomes_config {
	struct loop *loop;
	actor *self;                    /* `bus`, as in rollout.h */
	const struct redis_port *port;
	const char *node, *channel;     /* where it is said that there is one */
	/* The nodes of that group that are there. */
	void (*group)(void *arg, const char *group, void (*each)(void *of, const char *node),
	              void *of);
	void *arg;
};

struct outcomes;
struct outcomes *outcomes_new(const struct outcomes_config *c); /* borrows what it points at */
void outcomes_free(struct outcomes *o); /* when the core has stopped and the link is freed */
/* False: m answers none of its questions. */
bool outcomes_checked(struct outcomes *o, const msg *m);
/* m, which self is handling, asks `what`. False: that is none of these. */
bool outcomes_asked(struct outcomes *o, const msg *m, const char *what);

#endif
