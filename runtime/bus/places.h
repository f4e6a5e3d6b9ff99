/* SPDX-License-Identifier: MIT
 * places.h - what is found again by a number: a hash of records that have a place in them. Knows
 * nothing of what they are, owns none. One thread. */
#ifndef PLACES_H
#define PLACES_H

#include "base.h"

struct place { struct place *next; uint64_t number; };

/* Zero-initialised is empty. */
struct places { struct place **chain; uint32_t room, n; };

void          places_add(struct places *s, struct place *p);
struct place *places_take(struct places *s, uint64_t number);   /* takes it out; NULL: none */
struct place *places_any(struct places *s);                     /* takes any one out */
void          places_fini(struct places *s);                    /* the records are the caller's */

#endif
