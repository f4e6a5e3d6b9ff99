/* SPDX-License-Identifier: MIT
 * rollouts.h - both sides of rollouts at one node: those it takes (rollout.h), those it sends and
 * tells of (outcomes.h). The loop's thread. */
#ifndef ROLLOUTS_H
#define ROLLOUTS_H

#include "intake.h"
#include "member.h"
#include "outcomes.h"

struct rollouts_config {
	struct loop *loop;
	actor *self;                    /* `bus`; its handler `rolled` calls rollouts_answered() */
	const struct redis_port *port;
	struct member *member;
	struct intake *intake;
	const char *node, *identity, *groups;
};

struct rollouts;
struct rollouts *rollouts_new(const struct rollouts_config *c); /* borrows what it points at */
void rollouts_free(struct rollouts *r); /* when the link is freed */
void rollouts_up(struct rollouts *r);   /* Redis is there, and the node's name is ours */
void rollouts_down(struct rollouts *r);
void rollouts_heard(struct rollouts *r);        /* on NODES_CHANNEL */
void rollouts_quiet(struct rollouts *r);
void rollouts_answered(struct rollouts *r, const msg *m);
/* As outcomes_asked(). */
bool rollouts_asked(struct rollouts *r, const msg *m, const char *what);

#endif
