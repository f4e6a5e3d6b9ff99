/* SPDX-License-Identifier: MIT
 * look.h - an actor is asked about itself: what only its owner may touch. */
#ifndef LOOK_H
#define LOOK_H

#include "ask.h"

/* Owner: m asks; the answer goes to whoever asked. See core_look(). */
void look_answer(struct worker *w, struct actor *a, const struct msg *m);

#endif
