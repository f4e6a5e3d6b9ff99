/* SPDX-License-Identifier: MIT
 * opinion.h - what gcc or clang, where this machine has one, warns of in a source. */
#ifndef OPINION_H
#define OPINION_H

#include "compile.h"

enum { OPINION_MS = 2000 };     /* as long as it may take; what it has said by then counts */

/* Appends `file:line: warning: text`, one a line; nothing where there is no compiler. For sources
 * that have compiled. Any thread. */
void opinion(const struct source *s, struct buf *said);

#endif
