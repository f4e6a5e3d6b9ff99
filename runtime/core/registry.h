/* SPDX-License-Identifier: MIT
 * registry.h - names: each text once, for good, and the actor that bears it now.
 *
 * A name outlives whoever bears it, so a reference to a name follows restarts. Texts of handlers
 * live here too: what a table points at must outlive the patch that brought it. Finding takes no
 * lock; the first use of a text takes one. Any thread. */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "base.h"

struct name;

/* So many names there may be, and so many before what is only asked for gets no place any more:
 * who asks for ever new ones takes none from those that are given. */
enum { NAMES_GIVEN = 1 << 22, NAMES_ASKED = 1 << 20 };

/* NULL: too long (NAME_MAX_LEN), a NUL byte in it, or NAMES_GIVEN are there already. */
struct name *name_of(const char *text, size_t len);
/* The same, for what may never be; NULL also: NAMES_ASKED are there already. */
struct name *name_asked(const char *text, size_t len);
struct name *name_find(const char *text, size_t len);   /* NULL: never heard of */
struct name *name_at(uint32_t index);                   /* NULL beyond name_count() */
uint32_t     name_count(void);
uint32_t     name_index(const struct name *n);
const char  *name_text(const struct name *n);
/* begins with `list:`: never an actor of ours */
bool         name_foreign(const struct name *n);

uint64_t name_bearer(const struct name *n);     /* id; 0: nobody. Acquire: pairs with name_bind() */
bool     name_bind(struct name *n, uint64_t id);        /* false: somebody bears it */
void     name_unbind(struct name *n, uint64_t id);      /* nothing where another bears it by now */
/* its bearer is born again */
void     name_rebind(struct name *n, uint64_t from, uint64_t to);
/* Who speaks for it while nobody here bears it (a proxy's id); 0: nobody. */
uint64_t name_away(const struct name *n);
void     name_set_away(struct name *n, uint64_t proxy);
/* Tells who wants to know; by whoever bound or unbound, when the change can be seen from outside.
 */
void     name_changed(void);
void     name_on_change(void (*changed)(void *arg), void *arg);

uint32_t text_hash(const char *s, size_t len);

#endif
