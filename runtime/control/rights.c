/* SPDX-License-Identifier: MIT
 * rights.c - what a command may do, by where it came from.
 *
 * The control socket may do everything. Through Redis a node is looked at, and its topics are
 * called, which whoever may use that Redis can do without us; not so the runtime's own rooms, as
 * those hold passwords, files and other clients. Where unsigned patches are taken from Redis, there
 * is nothing left to keep from it.
 * No state; the actor's thread. */
#include "rights.h"

#include "answers.h"

bool rights_change(actor *self, const msg *m, bool open)
{
	bool may = msg_origin(m) != FROM_REDIS || open;

	if (!may)
		refuse(self, msg_defer(m), ACTOR_EFAIL, "through Redis this node is only looked "
			"at: it does not take unsigned patches from there either; use its control "
			"socket, or start it with --unsigned-patches");
	return may;
}

/* What actorctl asks the bus for: whoever may use that Redis can do it without us, too, and each
 * node that takes a rollout checks its signature. */
static bool is_of_redis(const struct call *c)
{
	static const char *const all[] = {
		"dead_list", "dead_show", "dead_retry", "rollouts", "rollout",
	};
	const char *name = core_ref_name(c->to);

	for (size_t i = 0; name && !strcmp(name, "bus") && i < ARRAY_LEN(all); i++)
		if (!strcmp(c->what, all[i]))
			return true;
	return false;
}

int rights_call(const msg *m, const struct call *c, bool open, struct why *why)
{
	if (msg_origin(m) != FROM_REDIS || open || !core_alive(c->to) || core_is_topic(c->to) ||
	    is_of_redis(c))
		return 0;
	return why_set(why, ACTOR_EFAIL, "%s.%s: through Redis only topics are called, and this is "
	               "the runtime's own; use the node's control socket, or start it with "
	               "--unsigned-patches", core_ref_name(c->to), c->what);
}
