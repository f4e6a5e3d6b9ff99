/* SPDX-License-Identifier: MIT
 * cast.h - the actors that play in this node: those of the command line, then the shipped ones. */
#ifndef CAST_H
#define CAST_H

#include "base.h"
#include "node.h"

/* Main thread, after patch_start(): loads and starts them all. 0, or negative with why, one line. */
int cast_start(const struct node_config *c, struct why *why);

#endif
