/* SPDX-License-Identifier: MIT
 * places.h - what is found again by a number: a hash of records that have a place in them. Knows
 * nothing of what they are. One thread. */
#ifndef PLACES_H
#define PLACES_H

#include "base.h"

struct place { struct place *next; uint64_t number; };

/* Zero-initialised is empty. Chains before `first` are. */
struct places { struct place **chain, *spare; uint32_t room, n, first; };

void          places_add(struct places *s, struct place *p);
struct place *places_take(struct places *s, uint64_t number);   /* takes it out; NULL: none */
struct place *places_any(struct places *s);                     /* takes any one out */
/* A record of so many bytes, zeroed; of one table all are of one size. It is not in the table yet,
 * and goes back when it is out of it. */
void         *places_make(struct places *s, size_t size);
void          places_drop(struct places *s, void *record);      /* NULL: nothing */
void          places_fini(struct places *s);    /* what is in it is the caller's */
void          places_forget(struct places *s);  /* frees that, too */

#endif
