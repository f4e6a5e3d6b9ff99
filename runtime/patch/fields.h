/* SPDX-License-Identifier: MIT
 * fields.h - a state's fields by name and value, for people. */
#ifndef FIELDS_H
#define FIELDS_H

#include "value.h"

/* layout: lines as layout.h's; state: what it is now. Appends a map a field: field, type, value.
 * How many. */
int fields_write(const char *layout, const void *state, size_t len, struct buf *rows);

#endif
