/* SPDX-License-Identifier: MIT
 * verdict.h - what comes of patches on probation. The compile thread. */
#ifndef VERDICT_H
#define VERDICT_H

#include "revert.h"
#include "watched.h"

/* word: what list says of it from now on; why: "" or the reason. */
typedef void verdict_fn(uint32_t number, const char *word, const char *why);
/* Those that have failed are taken back, those that have passed confirmed. told: of each that is on
 * probation no more. */
void verdict_look(verdict_fn *told);
int64_t verdict_next_ms(void);          /* until one's seconds are over; -1: none is on probation */
/* The thread has ended: all are on probation no more. */
void verdict_close(void);
/* A quarantined patch may be sent again. Negative with why. */
int  verdict_lift(uint32_t number, const struct patch_source *who, struct why *why);
/* Has this source been taken back by itself? 0, or negative with why. */
int  verdict_allows(const char *source, size_t len, struct why *why);

#endif
