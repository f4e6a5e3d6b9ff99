/* SPDX-License-Identifier: MIT
 * table.h - actor types and the tables of handlers that are in force.
 *
 * A table never changes: a patch makes a new one and swaps the pointer (switch.c). A handler's
 * index in its type is for good (a patch replaces the entry or appends one), so messages, timers
 * and asks may carry the index, and a call site may remember it. Names and signatures are interned,
 * so they outlive the code. */
#ifndef TABLE_H
#define TABLE_H

#include "core.h"
#include "worker.h"

enum { HANDLERS_MAX = 4096, TYPES_MAX = 65535 };

struct entry {
	handler *fn;
	uint16_t sig;
	uint16_t flags;
	uint32_t count;                 /* its place in each worker's calls */
	const char *name;
	struct code *code;              /* NULL: part of the program */
	const char *args;
	uint32_t version;
	_Atomic uint8_t looked;         /* its calls are looked at: see type_look() */
};

struct table {
	uint32_t n, mask;
	uint16_t *index;                /* hash of names, mask + 1 of them, entry + 1; 0: none */
	struct entry entry[];
};

/* Tables that come in force together: while they do, each type's pointer leads to its gate, and is
 * marked by its lowest bit. One word says for all which of the two is in force. */
struct gate { const _Atomic bool *passed; struct table *before, *after; };

struct type {
	/* by type_table(); release: switch.c */
	_Atomic(struct table *) table_or_gate;
	struct table *first;            /* as the type was added; kept */
	uint32_t id;
	uint32_t max_count, max_units;
	size_t state;
	const char *name;               /* interned */
	int (*start)(actor *self);
	void (*stop)(actor *self);
	bool proxy, clients, by_name, again, native, topic;
	enum actor_restart restart;
	enum actor_strategy strategy;   /* of its children, with how often is too often: */
	uint32_t restarts, seconds;
	const struct actor_type *source;        /* by which actors spawn it */
	struct type *next;              /* of the same bucket */
	enum actor_full full;
	enum actor_where where;
	uint32_t budget_ms;             /* of a compiled handler; 0: the default */
	bool retry;                     /* see actor.h */
	bool at_most_once;
	_Atomic int64_t recalled_until_ms;      /* see recall.h */
	_Atomic uint64_t allocated;     /* bytes that its actors have by actor_alloc() */
	struct code *code;
	/* A type whose actors' state changes its shape is followed by another of its name; see
	 * migrate.c. */
	_Atomic(struct type *) newer;   /* by type_newer() */
	const _Atomic bool *since;      /* of one that follows: true from when it is in force */
	struct type *before;
	struct table *was;              /* in force when newer came */
	_Atomic(struct passage *) passage;      /* its actors rehearse; see migrate.c. NULL: no */
	/* from the state of the one before, in the code of mover; NULL: begin anew */
	int (*move)(const void *from, void *to);
	struct code *mover;             /* some type of this name holds it */
	int (*back)(const void *from, void *to);        /* and back; NULL: there is no way */
	void (*unwatched)(actor *self, actor_id who, int64_t number);   /* see core.h, as for: */
	const char *(*shut)(actor *self);
};

/* The type that a C source means by t: known by its address or its name, else registered now. NULL
 * with why. */
struct type *type_of(const struct actor_type *t, struct why *why);
/* Is it in this code? Called by signal handlers. */
struct code *code_hold(struct code *c);  /* gives another hold; NULL is fine */
bool code_has(const struct code *c, const void *at);
/* Something that goes with it, freed by mem_free(). Before any thread runs it. */
void  code_attach(struct code *c, void *what);
void *code_attached(const struct code *c);
/* Adds "fix.c:12 in hit()", or what is known of it. */
void code_where(const struct code *c, const void *at, struct buf *out);
struct type *type_at(uint32_t id);              /* ids from 1 */
/* Inside a turn. Index of the handler, or -1. */
int table_find(const struct table *t, const char *name, size_t len);
/* Words for a handler that is none: "counter has no handler hitt (it has hit)". */
int table_missing(const struct type *type, const struct table *t, const char *what,
		  struct why *why);
/* taken back: no handler any more, its place is kept */
bool entry_gone(const struct entry *e);
/* Calls of the handlers for which `at` is true are looked at by trace.c, or recall.c; those of the
 * others (NULL: of all) are not (any more). */
enum entry_looked { ENTRY_TRACED = 1, ENTRY_RECALLED = 2 };
void type_look(struct type *t, enum entry_looked why,
	       bool (*at)(const struct type *t, const char *name));
const char *type_title(const struct type *t);   /* its name, or "the global table" */
const char *type_title_of(const struct actor *a);       /* the actor's own name, else its type's */
const char *type_title_at(uint64_t id);         /* the same by its id; "": nobody (any more) */

/* --- what is in force --------------------------------------------------------------------- */
static inline const struct gate *table_gate(const struct table *t)
{
	uintptr_t at = (uintptr_t)t;

	return at & 1 ? (const struct gate *)(at - 1) : NULL;
}

/* acquire: the tables that come in force with this one; partner: come_in_force() in switch.c */
static inline bool gate_passed(const struct gate *g)
{
	return LOAD_ACQUIRE(g->passed);
}

/* The table in force, inside a turn. */
static inline struct table *type_table(const struct type *t)
{
	struct table *tab = LOAD_ACQUIRE(&t->table_or_gate);            /* partner: switch.c */
	const struct gate *g = table_gate(tab);

	return likely(!g) ? tab : gate_passed(g) ? g->after : g->before;
}

/* The type that its actors are to go over to; NULL: it is the newest that is in force. */
static inline struct type *type_newer(const struct type *t)
{
	struct type *next = LOAD_ACQUIRE(&t->newer);

	return next && LOAD_ACQUIRE(next->since) ? next : NULL;
}
struct type *type_newest(struct type *t);

/* --- for switch.c ------------------------------------------------------------------------- */
/* The table that `on` makes of old (NULL: from nothing). NULL with why; nothing has changed. */
struct table *table_make(const struct table *old, const struct actor_handler *on,
			 const char *title, uint32_t version, struct code *code, struct why *why);
void table_free(void *t);
/* Puts another entry in a place, which keeps its count. */
void table_put(struct table *t, int at, const struct entry *e);
void table_reindex(struct table *t);
/* Places for counting, for entries that have none yet: only what will be in force uses some up. */
void table_number(struct table *t);
/* What stands where a revert took a handler away: its place is kept, for messages that are on their
 * way to it. */
int  table_gone(actor *self, const msg *m);
/* Types and tables change behind this lock. */
void types_lock(void);
void types_unlock(void);
uint32_t type_place(uint32_t ahead);            /* the next id but so many; 0: there is none */
void     type_put(struct type *t, uint32_t id); /* there for type_at(), not yet for its name */
void     type_show(uint32_t id);                /* all up to this one are */

#endif
