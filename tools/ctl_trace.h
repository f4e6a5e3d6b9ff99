/* SPDX-License-Identifier: MIT
 * ctl_trace.h - the command `trace`; see struct command. */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

#include "ctl.h"

#define TRACE_HELP \
	"Follows messages to the actor NAME (or to all actors of the type NAME, or,\n" \
	"without NAME, to any), and all that each of them sets off, from actor to actor:\n" \
	"who sent what to whom, how long it waited, how long its handler took, what came\n" \
	"of it. A tree a message, printed when all of it has happened, on whatever nodes\n" \
	"that was.\n\n" \
	"  -n N              so many trees, 20\n" \
	"  --for SECONDS     so long, 60\n" \
	"  --handler NAME    only messages for this handler\n" \
	"  --arg NAME=VALUE  only those with this value; the parameter by name or number\n" \
	"  --from NAME       only those from this actor, or type: session, bus, ...\n" \
	"  --client WHO      only those from this user, or from the session of that\n" \
	"                    number\n" \
	"  --id ID           the trace that has this id: who sends a request may give it\n" \
	"                    one, by its key `trace`; also what has just happened; -n is\n" \
	"                    1\n" \
	"  --every N         one in N of these; without a name, of all messages\n\n" \
	"It costs nothing while nobody traces. A message that is traced costs about 45\n" \
	"ns more: 5 % where all are whose handlers take 1 us, one in 1,000 nothing that\n" \
	"can be measured. With --json an object for each thing that happened.\n\n" \
	"  actorctl trace counter\n" \
	"  actorctl trace counter --handler hit --arg by=5 -n 1\n" \
	"  actorctl trace --every 1000\n" \
	"  actorctl trace --client ada -n 5\n" \
	"  actorctl trace --id 4bf92f3577b34da6\n"

int run_trace(const struct ctl *c, int argc, char **argv);

#endif
