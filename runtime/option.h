/* SPDX-License-Identifier: MIT
 * option.h - the options there are: of each its name, and what checks and sets its value. */
#ifndef OPTION_H
#define OPTION_H

#include <stdio.h>

#include "actor.h"
#include "base.h"
#include "node.h"

/* The name makes the command line's --redis-port, the environment's ACTORD_REDIS_PORT and the
 * file's redis-port. */
struct option {
	const char *name, *arg, *help;          /* arg NULL: a flag, whose value is yes or no */
	/* 0, or an error with why. Borrows the value for as long as *c is used. */
	int (*set)(struct node_config *c, const char *value, struct why *why);
};

const struct option *option_of(const char *name, size_t len);   /* NULL: there is none */
const struct option *option_at(size_t i);                       /* in order; NULL: no more */

#endif
