/* SPDX-License-Identifier: MIT
 * crash.h - reports of actors that failed and of faults that were contained, kept to be looked at
 * (core.h, core_crashes). A ring, so the oldest make room; in a flood most are left out. Any thread
 * that runs the actor. */
#ifndef CRASH_H
#define CRASH_H

#include "table.h"

struct crash_about {
	const char *handler;            /* interned */
	const char *reason;             /* in words, with the places in the code where known */
	uint32_t patch;                 /* whose code it was; 0: none's */
	bool ends;                      /* the actor fails of it */
};

/* m: the message it was at; its state is as it stays. The report's number, or 0: left out. */
uint64_t crash_note(struct actor *a, const struct msg *m, const struct crash_about *about);
/* The line of the log about it: text, and "crash 3: hits=41, name=\"x\"; 2 wait" (0: nothing). No
 * flood: what is left out is said with the next. */
void crash_log(const char *text, uint64_t number);

#endif
