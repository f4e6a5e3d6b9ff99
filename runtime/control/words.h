/* SPDX-License-Identifier: MIT
 * words.h - words of a command line as a call of an actor. */
#ifndef WORDS_H
#define WORDS_H

#include "core.h"

/* What `call` and `send` have in common: name, handler and words (a list) of m as a call; words
 * become values by the handler's signature. c's args point into values, its `what` into m. 0, or an
 * error with why. */
int words_call(const msg *m, struct call *c, struct buf *values, struct why *why);

#endif
