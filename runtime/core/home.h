/* SPDX-License-Identifier: MIT
 * home.h - threads with a loop of their own on which some actors live. The rest is in core.h. */
#ifndef HOME_H
#define HOME_H

#include "life.h"

void        home_ready(struct actor *a);        /* a lives at a home and has just got something to do */
uint8_t     home_number(const struct home *h);  /* 1 and up; HOME_POOL for NULL */
bool        home_ended(struct home *h);         /* its thread: an actor that lived here has ended since the last call */
const char *home_handler(const struct home *h);         /* that it is in; NULL: none */
const char *home_title(uint8_t number);         /* "pool", or its name */

#endif
