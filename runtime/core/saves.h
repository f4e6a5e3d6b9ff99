/* SPDX-License-Identifier: MIT
 * saves.h - the users that keep something which the store has not written yet. */
#ifndef SAVES_H
#define SAVES_H

#include "base.h"

/* Any thread, as are all here. True: the store has not been told that there are any. */
bool saves_add(const char *user);
void saves_later(const char *user);     /* whoever adds next tells it, or it looks by itself */
void saves_untold(const char *user);    /* it could not be told: that one is not among them */
bool saves_any(void);
/* Appends their names, a NUL behind each. Who is added from now on tells the store again. */
void saves_take(struct buf *users);

#endif
