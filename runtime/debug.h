/* SPDX-License-Identifier: MIT
 * debug.h - /debug/actors and /debug/stacks: what is going on inside, in JSON. Any thread. */
#ifndef DEBUG_H
#define DEBUG_H

#include "base.h"

/* False: there is no such page. */
bool debug_page(const char *path, struct buf *body, const char **type);

#endif
