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

/* Begins run(arg), on a stack of `stack` bytes, and goes on when it has called box_mark(); false
 * where it did not. Not under a sanitizer. */
bool box_begin(void (*run)(void *arg), void *arg, size_t stack);
void box_mark(void);
/* From there to the end of that run, as often as one likes; what it is to find else, the caller has
 * changed meanwhile. False as of box_run(). */
bool box_go_on(void);
/* Brings libtcc back to there, for the next box_go_on() to find it so. */
void box_back(void);

#endif
