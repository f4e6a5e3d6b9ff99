/* SPDX-License-Identifier: MIT
 * shown.h - of patches, what `inspect` and `nodes` show without the journal: their handlers, and
 * where they came from. That of the newest few is kept, and that of others for as long as they are
 * needed.
 *
 * No lock of its own: its caller's (history.c). */
#ifndef SHOWN_H
#define SHOWN_H

#include "journal.h"

struct shown { uint32_t number; char *handlers, *origin; };
typedef bool shown_needed(uint32_t number);

/* One more, unless it is there. Copies both texts; handlers is not terminated. Forgets, now and
 * then, what is neither new nor needed. */
void shown_add(uint32_t number, const char *handlers, size_t len, const char *origin,
               shown_needed *needed);
/* The same, from the line of its intent. */
void shown_line(uint32_t number, const struct journal_line *l, shown_needed *needed);
/* The newest few, and those others that are also to be shown, by number. s is borrowed until it
 * returns. */
void shown_each(shown_needed *also, void (*each)(void *arg, const struct shown *s), void *arg);
void shown_forget(void);

#endif
