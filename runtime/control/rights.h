/* SPDX-License-Identifier: MIT
 * rights.h - what a command may do, by where it came from. The actor's thread. */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "core.h"

/* open: who may use our Redis may change what runs (--unsigned-patches). */
/* May whoever sent m change what runs? Else it is refused. */
bool rights_change(actor *self, const msg *m, bool open);
/* May whoever sent m make this call? From Redis: of topics, and what only looks. 0, or an error
 * with why. */
int  rights_call(const msg *m, const struct call *c, bool open, struct why *why);

#endif
