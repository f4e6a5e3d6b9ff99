/* SPDX-License-Identifier: MIT
 * dead.h - the last dead letters, for `inspect`. */
#ifndef DEAD_H
#define DEAD_H

#include "core.h"

/* Appends a list of maps, oldest first. */
void dead_letters(struct buf *out);

#endif
