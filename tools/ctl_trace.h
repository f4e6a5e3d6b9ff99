/* SPDX-License-Identifier: MIT
 * ctl_trace.h - the command `trace`; see struct command. */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

#include "ctl.h"

#define TRACE_HELP                                                                                 \
	"Follows messages to the actor NAME (or to all actors of the type NAME, or, without\n"     \
	"NAME, to any), and all that each of them sets off, from actor to actor: who sent what\n"  \
	"to whom, how long it waited, how long its handler took, what came of it. A tree a\n"      \
	"message, printed when all of it has happened.\n\n"                                        \
	"  -n N              so many trees, 20\n"                                                  \
	"  --for SECONDS     so long, 60\n"                                                        \
	"  --handler NAME    only messages for this handler\n"                                     \
	"  --arg NAME=VALUE  only those with this value; the parameter by name or number\n"        \
	"  --from NAME       only those from this actor, or type: session, bus, ...\n"             \
	"  --every N         one in N of these; without a name, of all messages\n\n"               \
	"It costs nothing while nobody traces, and next to nothing at --every 64 and more of\n"    \
	"all. With --json an object for each thing that happened.\n\n"                             \
	"  actorctl trace counter\n  actorctl trace counter --handler hit --arg by=5 -n 1\n"       \
	"  actorctl trace --every 1000\n"

int run_trace(const struct ctl *c, int argc, char **argv);

#endif
