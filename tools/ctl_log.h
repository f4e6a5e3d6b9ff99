/* SPDX-License-Identifier: MIT
 * ctl_log.h - the command `log`; see struct command. */
#ifndef CTL_LOG_H
#define CTL_LOG_H

#include "ctl.h"

#define LOG_HELP                                                                                   \
	"The node keeps its last 512 lines. NAME is an actor's, or a room's: bus, patch,\n" \
	"node.\n\n" \
	"  -f             goes on with what comes, until Ctrl-C\n" \
	"  -n N           the last N lines, 100\n" \
	"  --level LEVEL  this and above: debug, info, warn, error\n\n" \
	"With --json an object a line: time, level, from, text.\n\n" \
	"  actorctl log\n" \
	"  actorctl log -f counter\n" \
	"  actorctl --json log --level warn | jq -r .text\n"

int run_log_lines(const struct ctl *c, int argc, char **argv);

#endif
