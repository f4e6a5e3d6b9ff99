/* SPDX-License-Identifier: MIT
 * alarm.h - an actor's timers: once, again and again, by the calendar. */
#ifndef ALARM_H
#define ALARM_H

#include "ask.h"

/* Timer `number` has come: the message to handle now, or NULL. It stays the timer's: give
 * it back with alarm_end(). */
struct msg *alarm_begin(struct actor *a, int64_t number);
void        alarm_end(struct worker *w, struct actor *a, int64_t number, struct msg *m);

#endif
