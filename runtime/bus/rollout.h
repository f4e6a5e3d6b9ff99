/* SPDX-License-Identifier: MIT
 * rollout.h - patches for many nodes: sent once (outcomes.h), taken by each node of a group, also
 * by those that come later. The loop's thread.
 *
 *   actord:{rollouts}          stream, an entry a rollout: source, for (one group, one node, or
 *                              `*`: all), and of these what is known: file, author, note,
 *                              probation, lose_changes (1: a revert may lose what a state
 *                              gained), and ct, cb: where each node's outcome is told to. One
 *                              that does not say for whom is refused by every node
 *   actord:{rollouts}:seen     hash: by a node's identity, the last one that it took
 *   actord:{rollouts}:builds   hash: by rollout, the builds of the types that it was made for
 *   actord:{rollouts}:ID       hash with an expiry: by node, the outcome in JSON
 *
 * A source that is all of `//revert ID` takes back what that rollout brought. */
#ifndef ROLLOUT_H
#define ROLLOUT_H

#include "loop.h"
#include "ports.h"

#define ROLLOUTS_KEY   "actord:{rollouts}"
#define ROLLOUTS_BUILDS "actord:{rollouts}:builds"

enum { ROLLOUT_SIZE = 44,       /* of an id, and a NUL */
       ROLLOUT_GROUPS_MOST = 22 };      /* that a node is in */

struct rollout_config {
	struct loop *loop;
	actor *self;                    /* `bus`, whose handler `rolled` hears of what it asks */
	const struct redis_port *port;
	const char *node, *identity, *groups;   /* see member.h */
	/* One value for cb of ct. */
	void (*tell)(void *arg, const char *ct, const char *cb, struct packed value);
	void (*taken)(void *arg, const char *id);       /* the last one, here */
	void *arg;
};

struct rollout;
struct rollout *rollout_new(const struct rollout_config *c);    /* borrows what it points at */
void rollout_free(struct rollout *r);   /* when the link is freed */
void rollout_up(struct rollout *r);     /* what was in force before the restart is so again */
void rollout_down(struct rollout *r);
void rollout_look(struct rollout *r);   /* there may be one */
void rollout_quiet(struct rollout *r);  /* takes none any more */
/* What is wrong with the value of `for` (NULL: there is none), in words, or NULL. */
const char *rollout_for_wrong(const char *to);
/* False: m answers none of its questions. */
bool rollout_answered(struct rollout *r, const msg *m);

#endif
