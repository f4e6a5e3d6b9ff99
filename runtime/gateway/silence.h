/* SPDX-License-Identifier: MIT
 * silence.h - what passes with time: see silence.c. The connections' thread. */
#ifndef SILENCE_H
#define SILENCE_H

struct conns;

/* Who has not logged in, who is silent: those for whom it may be time, or some of them. How many ms
 * from now it is to be called again. */
int silence_sweep(struct conns *all);

#endif
