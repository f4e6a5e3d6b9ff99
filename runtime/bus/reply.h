/* SPDX-License-Identifier: MIT
 * reply.h - answers that actors have the bus give, to a topic that they name. The loop's thread. */
#ifndef REPLY_H
#define REPLY_H

#include "intake.h"

/* m, which the bus is handling: to what, then two texts, without which it is none of these? */
bool reply_names(const msg *m);
/* What the bus's handler returns. */
int reply_values(struct intake *in, const msg *m);      /* to what ct cb, then values */
int reply_error(struct intake *in, const msg *m);       /* to what ct cb code:int text:str */

#endif
