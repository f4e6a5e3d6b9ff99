/* SPDX-License-Identifier: MIT
 * offers.h - what actors' types offer to patches by name. */
#ifndef OFFERS_H
#define OFFERS_H

#include "core.h"

/* All that t's table of them has (NULL is fine), or none with why: no name in C, a name taken. The
 * caller holds the lock of types; type is interned. */
int offers_add(const char *type, const struct actor_offer *o, struct why *why);

#endif
