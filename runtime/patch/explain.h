/* SPDX-License-Identifier: MIT
 * explain.h - bare diagnostics made into ones that a person can act on. Any thread. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "compile.h"

/* Each diagnostic of said that names a line of the source gets that line's text below it, with a
 * caret where what it speaks of stands; a name that nobody knows gets the names nearest to it. */
void explain(const struct source *s, struct buf *said);

#endif
