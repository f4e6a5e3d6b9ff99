/* SPDX-License-Identifier: MIT
 * box.h - what libtcc gets of the process: memory with a limit, and no way to end it.
 *
 * The build renames what libtcc calls (patch.cmake), and gathers its variables in sections of their
 * own. compile.c holds its lock around all of these. */
#ifndef BOX_H
#define BOX_H

#include "base.h"

/* Calls run(arg), for which libtcc is as if it had never run. False when libtcc wanted to end the
 * process instead of returning, or there is no memory for it. */
bool box_run(void (*run)(void *arg), void *arg);

#endif
