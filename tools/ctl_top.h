/* SPDX-License-Identifier: MIT
 * ctl_top.h - the command `top`; see struct command. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl.h"

#define TOP_HELP \
	"A row per handler, by what it did since the last refresh: messages a second,\n" \
	"CPU in percent of one core, mean time and p99 (of the calls that were timed:\n" \
	"all slow ones, one in 64 of the fastest), failures, and what waits in the\n" \
	"mailboxes of its type. Below them the fullest mailboxes, with the age of the\n" \
	"oldest message (to a second), and what has been running for over 1 ms. Above\n" \
	"them each thread's CPU.\n\n" \
	"  --sort KEY     rate (the default), cpu, mean, p99, failures, waiting, memory:\n" \
	"                 by type: actors, and bytes of their states, mailboxes,\n" \
	"                 allocations\n" \
	"  --filter TEXT  only what has TEXT in TYPE.HANDLER\n" \
	"  --rows N       of each table; default: what fits, else 20\n" \
	"  -d MS          between two refreshes, 1000\n" \
	"  -n N           so many refreshes, then end\n\n" \
	"On a terminal the keys r c m p f w b sort, / filters, i inspects, t traces and\n" \
	"s stops an actor whose name is asked for; q ends. With --json an object a\n" \
	"refresh.\n\n" \
	"  actorctl top\n" \
	"  actorctl top --sort cpu --filter counter\n" \
	"  actorctl --json top -n 1 | jq '.handlers[0]'\n"

int run_top(const struct ctl *c, int argc, char **argv);

#endif
