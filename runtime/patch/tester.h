/* SPDX-License-Identifier: MIT
 * tester.h - the process that trial.c starts: this program, under another name. */
#ifndef TESTER_H
#define TESTER_H

#include "compile.h"

/* What it has for itself; it is ended beyond that. */
enum {
	TRIAL_CPU_MS   = 1000,          /* a source */
	TRIAL_WALL_MS  = 10000,
	TRIAL_STACK    = COMPILE_STACK, /* less than the compile thread's, so that it holds there */
	TRIAL_MEMORY   = 1 << 30,       /* of address space */
};
enum { TESTER_FD = 3 };                 /* what it is asked on */
extern const char tester_name[];        /* its argv[0], and all of it */

#endif
