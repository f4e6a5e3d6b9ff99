/* SPDX-License-Identifier: MIT
 * letters.h - dead letters: what nobody handled, or what a handler failed at, kept to be
 * looked at (core.h, core_dead_letters). A ring, so the oldest make room; in a flood most
 * are only counted. Any thread. */
#ifndef LETTERS_H
#define LETTERS_H

#include "table.h"

/* a: whom it was meant for; NULL: an actor that is no more. Borrows. */
void letters_add(const struct actor *a, const struct msg *m, const char *reason);
/* The same of a message that came as something else (an answer, a timer) to this handler. */
void letters_add_to(const struct actor *a, const char *what, const struct msg *m,
                    const char *reason);

/* The same of one that was not even sent: its values. */
void letters_add_packed(const struct actor *a, const char *what, struct packed values,
                        unsigned count, const char *reason);

/* So many have come just now that the next would be counted only. */
bool letters_flood(void);

#endif
