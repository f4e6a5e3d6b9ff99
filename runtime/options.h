/* SPDX-License-Identifier: MIT
 * options.h - what the user said: a file, over it the environment, over both the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "actor.h"
#include "base.h"
#include "node.h"

enum options_asked { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
	struct node_config node;
	enum options_asked asked;
	char *file;                     /* the text of --config: node borrows from it */
	const char **actors;
};

/* 0, or ACTOR_EARGS with why, which names the option as it was given, the reason and what to write
 * instead. Borrows argv and what getenv() gives; *o is for options_fini() in either case. */
int  options_read(struct options *o, int argc, char **argv, struct why *why);
void options_help(struct buf *out);
void options_fini(struct options *o);

#endif
