/* SPDX-License-Identifier: MIT
 * counter_report: a timer and a process. counter logs its total every ten seconds; process, which
 * runs once when the table is in force, sends it the first `report`. The timer names its handler,
 * so the next patch of `report` changes also the reports that are already on their way. */
#include <inttypes.h>

#include "actor.h"
#include "counter.h"

static int report(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);

	(void)m;
	actor_log(self, "%" PRId64 " hits", c->hits);
	return actor_after(self, 10000, "report") < 0;
}

int process(actor *self)
{
	return actor_send(self, actor_find("counter"), "report");
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "report", "", report, 0 }),
};
