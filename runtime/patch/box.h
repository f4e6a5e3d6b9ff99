/* SPDX-License-Identifier: MIT
 * box.h - what libtcc gets of the process: memory with a limit, and no way to end it.
 *
 * The build renames what libtcc calls (patch.cmake), and gathers its variables in sections of their
 * own. compile.c holds its lock around all of these. */
#ifndef BOX_H
#define BOX_H

#include "base.h"

/* Calls run(arg). False when libtcc wanted to end the process instead of returning. */
bool box_run(void (*run)(void *arg), void *arg);
/* Frees all that libtcc still holds, and gives its variables the values they had at the start. */
void box_reset(void);

#endif
