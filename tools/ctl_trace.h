/* SPDX-License-Identifier: MIT
 * ctl_trace.h - the command `trace`; see struct command. */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

#include "ctl.h"

#define TRACE_HELP                                                                                 \
	"Follows messages to the actor NAME (or to all actors of the type NAME, or, without\n"     \
	"NAME, to any), and all that each of them sets off, from actor to actor: who sent what\n"  \
	"to whom, how long it waited, how long its handler took, what came of it. A tree a\n"      \
	"message, printed when all of it has happened, on whatever nodes that was.\n\n"            \
	"  -n N              so many trees, 20\n"                                                  \
	"  --for SECONDS     so long, 60\n"                                                        \
	"  --handler NAME    only messages for this handler\n"                                     \
	"  --arg NAME=VALUE  only those with this value; the parameter by name or number\n"        \
	"  --from NAME       only those from this actor, or type: session, bus, ...\n"             \
	"  --client WHO      only those from this user, or from the session of that number\n"      \
	"  --id ID           the trace that has this id: who sends a request may give it one,\n"   \
	"                    by its key `trace`; also what has just happened. -n is 1\n"           \
	"  --every N         one in N of these; without a name, of all messages\n\n"               \
	"It costs nothing while nobody traces, and next to nothing at --every 64 and more of\n"    \
	"all. With --json an object for each thing that happened.\n\n"                             \
	"  actorctl trace counter\n  actorctl trace counter --handler hit --arg by=5 -n 1\n"       \
	"  actorctl trace --every 1000\n  actorctl trace --client ada -n 5\n"                      \
	"  actorctl trace --id 4bf92f3577b34da6\n"

int run_trace(const struct ctl *c, int argc, char **argv);

#endif
