/* SPDX-License-Identifier: MIT
 * probation.h - a patch's first messages, counted by those who handle them.
 *
 * Threads: whoever handles a message counts; the room that put the patch in force looks and ends.
 * It is the code's, and goes with it. */
#ifndef PROBATION_H
#define PROBATION_H

#include "hold.h"
#include "table.h"

/* NULL: the code is on no probation. */
struct probation *probation_of(const struct code *code);

/* Still looked at: what it does is a draft. */
bool probation_runs(const struct probation *p);
/* It is to be taken back: no message is run by it any more, they wait at the gate. */
bool probation_failed(const struct probation *p);
/* It has been taken back: who finds it in a table that was in force a moment ago looks again. */
bool probation_is_back(const struct probation *p);
size_t probation_state(const struct probation *p);      /* bytes of a state that are put back */

/* It is about to handle a message: from now on it is the one that ran last. */
void probation_enter(const struct probation *p);
struct tried { bool fault, failed; int64_t ns; const char *words; };
/* A message has been handled so. */
void probation_count(struct probation *p, const struct tried *t);
/* A state was larger than what is put back. */
void probation_note_large(struct probation *p);

#endif
