/* SPDX-License-Identifier: MIT
 * home.h - threads with a loop of their own on which some actors live. The rest is in core.h. */
#ifndef HOME_H
#define HOME_H

#include "life.h"

/* a lives at a home and has just got something to do */
void        home_ready(struct actor *a);
uint8_t     home_number(const struct home *h);  /* 1 and up; HOME_POOL for NULL */
/* its thread: an actor that lived here has ended since the last call */
bool        home_ended(struct home *h);
const char *home_handler(const struct home *h);         /* that it is in; NULL: none */
const char *home_title(uint8_t number);         /* "pool", or its name */

#endif
