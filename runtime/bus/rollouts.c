/* SPDX-License-Identifier: MIT
 * rollouts.c - see rollouts.h: ties what takes and what sends to who is there and to how answers
 * go. The loop's thread. */
#include "rollouts.h"

#include "nodes.h"

struct rollouts { struct rollouts_config c; struct rollout *takes; struct outcomes *sends; };

static void tell(void *arg, const char *ct, const char *cb, struct packed value)
{
	struct rollouts *r = arg;

	intake_tell(r->c.intake, ct, cb, value, 1, 0, NULL);
}

static void on_taken(void *arg, const char *id)
{
	member_rolled(((struct rollouts *)arg)->c.member, id);
}

static void each_of(void *arg, const char *group, void (*each)(void *of, const char *node),
                    void *of)
{
	member_group(((struct rollouts *)arg)->c.member, group, each, of);
}

struct rollouts *rollouts_new(const struct rollouts_config *c)
{
	struct rollouts *r = mem_alloc(sizeof *r);
	struct rollout_config takes = {
		.loop = c->loop, .self = c->self, .port = c->port, .node = c->node,
		.identity = c->identity, .groups = c->groups, .tell = tell, .taken = on_taken,
		.arg = r,
	};
	struct outcomes_config sends = {
		.loop = c->loop, .self = c->self, .port = c->port, .node = c->node,
		.channel = NODES_CHANNEL, .group = each_of, .arg = r,
	};

	r->c = *c;
	r->takes = rollout_new(&takes);
	r->sends = outcomes_new(&sends);
	return r;
}

void rollouts_free(struct rollouts *r)
{
	if (!r)
		return;
	rollout_free(r->takes);
	outcomes_free(r->sends);
	mem_free(r);
}

void rollouts_up(struct rollouts *r)
{
	rollout_up(r->takes);
}

void rollouts_down(struct rollouts *r)
{
	rollout_down(r->takes);
}

void rollouts_heard(struct rollouts *r)
{
	member_heard(r->c.member);
	rollout_look(r->takes);
}

void rollouts_quiet(struct rollouts *r)
{
	rollout_quiet(r->takes);
}

void rollouts_answered(struct rollouts *r, const msg *m)
{
	if (!rollout_answered(r->takes, m))
		outcomes_checked(r->sends, m);
}

bool rollouts_asked(struct rollouts *r, const msg *m, const char *what)
{
	return outcomes_asked(r->sends, m, what);
}
