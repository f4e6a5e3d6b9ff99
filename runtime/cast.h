/* SPDX-License-Identifier: MIT
 * cast.h - the actors that play in this node: those of the command line, then the shipped ones. */
#ifndef CAST_H
#define CAST_H

#include "base.h"
#include "node.h"

/* Loads and starts them all, after patch_start(). 0, or negative with why, one line. Main thread. */
int cast_start(const struct node_config *c, struct why *why);

#endif
