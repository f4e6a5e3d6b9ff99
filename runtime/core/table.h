/* SPDX-License-Identifier: MIT
 * table.h - actor types and the tables of handlers that are in force.
 *
 * A table never changes: a patch makes a new one and swaps the pointer. A handler's index in its
 * type is for good (a patch replaces the entry or appends one), so messages, timers and asks may
 * carry the index, and a call site may remember it. Names and signatures are interned, so they
 * outlive the code. */
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
	_Atomic uint8_t traced;         /* its calls are looked at; by type_trace() */
};

struct table {
	uint32_t n, mask;
	uint16_t *index;                /* hash of names, mask + 1 of them, entry + 1; 0: none */
	struct entry entry[];
};

struct type {
	_Atomic(struct table *) table;  /* release: core_change(); acquire: who runs or resolves */
	struct table *first;            /* as the type was added; kept */
	uint32_t id;
	uint32_t max_count, max_units;
	size_t state;
	const char *name;               /* interned */
	int (*start)(actor *self);
	void (*stop)(actor *self);
	bool proxy, native;
	enum actor_restart restart;
	enum actor_strategy strategy;   /* of its children, with how often is too often: */
	uint32_t restarts, seconds;
	const struct actor_type *source;        /* by which actors spawn it */
	struct type *next;              /* of the same bucket */
	enum actor_full full;
	enum actor_where where;
	uint32_t budget_ms;             /* of a compiled handler; 0: the default */
	struct code *code;
	/* A type whose actors' state changes its shape is followed by another of its name; see
	 * migrate.c. */
	_Atomic(struct type *) newer;   /* release: type_succeed(); NULL: this one is in force */
	struct type *before;
	struct table *was;              /* in force when newer came */
	/* from the state of the one before; NULL: begin anew */
	int (*move)(const void *from, void *to);
	int (*back)(const void *from, void *to);        /* and back; NULL: there is no way */
};

/* The type that a C source means by t: known by its address or its name, else registered now. NULL
 * with why. */
struct type *type_of(const struct actor_type *t, struct why *why);
/* Is it in this code? Called by signal handlers. */
struct code *code_hold(struct code *c);  /* gives another hold; NULL is fine */
bool code_has(const struct code *c, const void *at);
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
/* Calls of that handler (NULL: of all) are looked at by trace.c, or not (any more). */
void type_trace(struct type *t, const char *what, bool on);
const char *type_title(const struct type *t);   /* its name, or "the global table" */

/* next follows t, in force for all its actors: t's table is from now on that of next, with `first`
 * in each place, which moves the actor and then does what next has there. to NULL: back to how
 * t->before was. All handlers, start and stop have to come with to. NULL with why. */
struct succession {
	const struct actor_type *to;
	int (*move)(const void *from, void *to), (*back)(const void *from, void *to);
	uint32_t version; struct code *code;
	handler *first;
	bool check_only;                /* gives t */
};
struct type *type_succeed(struct type *t, const struct succession *s, struct why *why);

#endif
