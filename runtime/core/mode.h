/* SPDX-License-Identifier: MIT
 * mode.h - an actor that has become something else for a while, and the messages it keeps for
 * later.
 *
 * In the mode "closed" a message for `hit` runs the handler `closed.hit`, where there is one: a
 * mode names handlers and points at none, so patches meet it as all else. */
#ifndef MODE_H
#define MODE_H

#include "ask.h"

/* What runs instead of e in the mode that a is in. */
const struct entry *mode_entry(const struct actor *a, const struct table *tab,
                               const struct entry *e);

#endif
