/* SPDX-License-Identifier: MIT
 * revert.h - what was in force before: after a patch is taken back, and after a restart. The
 * compile thread. */
#ifndef REVERT_H
#define REVERT_H

#include "make.h"

/* Each handler of the patch is again what it was before, and the state has its former shape; lose:
 * even if that cannot be made from what it is. 0, or an error with why and nothing changed. */
int revert_patch(uint32_t number, const struct patch_source *who, bool lose, struct why *why);

/* The same for one that has failed its probation p, which it ends when it returns 0: a handler that
 * is a later patch's by now stays that. */
int revert_by_itself(uint32_t number, struct probation *p, struct why *why);

/* At the start, when the actors are there: all that the journal says is in force. ran: for each
 * with a process, which is to run again; takes the hold on code. */
typedef void revert_ran(uint32_t number, int (*process)(actor *self), struct code *code);
int revert_bring_back(revert_ran *ran, struct why *why);

#endif
