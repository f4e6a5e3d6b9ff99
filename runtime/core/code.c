/* SPDX-License-Identifier: MIT
 * code.c - compiled code: who holds it, where it lies, and the types that it brings. */
#include "table.h"

#include <pthread.h>

enum { SOURCE_BUCKETS = 1024 };

struct code {
	_Atomic uint32_t holds;
	void (*free)(void *arg);
	void *arg;
	const char *at;                 /* where it lies; NULL: nobody said */
	size_t size;
	struct code *next;              /* of those that have said */
	void (*where)(void *arg, const void *at, struct buf *out);
	void *attached;
};

static struct code *codes;
static pthread_mutex_t codes_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct type *) sources[SOURCE_BUCKETS];
static pthread_mutex_t sources_lock = PTHREAD_MUTEX_INITIALIZER;
/* types, by the address they are spawned by */

struct code *code_new(void (*fn)(void *), void *arg)
{
	struct code *c = mem_alloc(sizeof *c);

	STORE(&c->holds, 1);
	c->free = fn;
	c->arg = arg;
	return c;
}

void code_tells(struct code *c, void (*where)(void *, const void *, struct buf *))
{
	c->where = where;
}

void code_attach(struct code *c, void *what)
{
	c->attached = what;
}

void *code_attached(const struct code *c)
{
	return c->attached;
}

bool code_has(const struct code *c, const void *at)
{
	return (uintptr_t)at - (uintptr_t)c->at < c->size;
}

void code_where(const struct code *c, const void *at, struct buf *out)
{
	if (c->where)
		c->where(c->arg, at, out);
	else
		buf_printf(out, "+%#zx", (size_t)((const char *)at - c->at));
}

struct code *code_hold(struct code *c)
{
	if (c)
		atomic_fetch_add(&c->holds, 1);
	return c;
}

uint64_t core_code_bytes(void)
{
	uint64_t bytes = 0;

	pthread_mutex_lock(&codes_lock);
	for (const struct code *c = codes; c; c = c->next)
		bytes += c->size;
	pthread_mutex_unlock(&codes_lock);
	return bytes;
}

void code_lies(struct code *c, const void *at, size_t size)
{
	pthread_mutex_lock(&codes_lock);
	c->at = at;
	c->size = size;
	c->next = codes;
	codes = c;
	pthread_mutex_unlock(&codes_lock);
}

/* The code that has this in it, held; NULL: it is part of the program. */
static struct code *code_with(const void *at)
{
	uint32_t holds = 0;
	struct code *c;

	pthread_mutex_lock(&codes_lock);
	for (c = codes; c; c = c->next)
		if ((const char *)at >= c->at && (const char *)at < c->at + c->size)
			break;
	if (c)
		holds = LOAD(&c->holds);
	while (holds && !CAS(&c->holds, &holds, holds + 1))
		;
	pthread_mutex_unlock(&codes_lock);
	return holds ? c : NULL;
}

static void code_forget(struct code *c)
{
	struct code **at = &codes;

	pthread_mutex_lock(&codes_lock);
	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	pthread_mutex_unlock(&codes_lock);
}

void code_drop(struct code *c)
{
	if (!c || atomic_fetch_sub(&c->holds, 1) != 1)
		return;
	code_forget(c);
	c->free(c->arg);
	mem_free(c->attached);
	mem_free(c);
}

/* --- spawned by their sources ------------------------------------------------------------- */

static _Atomic(struct type *) *bucket(const struct actor_type *t)
{
	return &sources[(uintptr_t)t / sizeof(void *) % SOURCE_BUCKETS];
}

/* Another source's type of that name is used as it stands, if their states are alike: whose
 * handlers are in force is for the first source and for patches to say. */
static struct type *same_name(const struct actor_type *t, struct type *type, struct why *why)
{
	if (type->state == t->state && !type->native)
		return type;
	why_set(why, ACTOR_EARGS,
		"there is an actor type %s already, with %zu bytes of state; this one has %zu",
		type_title(type), type->state, t->state);
	return NULL;
}

static struct type *register_source(const struct actor_type *t, struct why *why)
{
	struct code *code = code_with(t);
	struct type *type = core_add_type(t, NULL, code, why);
	_Atomic(struct type *) *b = bucket(t);

	code_drop(code);
	if (!type)
		return NULL;
	type->source = t;
	pthread_mutex_lock(&sources_lock);
	type->next = LOAD(b);
	STORE_RELEASE(b, type);                 /* partner: type_of() */
	pthread_mutex_unlock(&sources_lock);
	return type;
}

struct type *type_of(const struct actor_type *t, struct why *why)
{
	struct type *type = LOAD_ACQUIRE(bucket(t));

	while (type && (type->source != t || strcmp(type->name, t->name)))
		type = type->next;
	if (type)
		return type;
	type = t->name ? core_type(t->name) : NULL;
	if (!type)
		type = register_source(t, why);
	if (!type && t->name)                   /* somebody else was quicker */
		type = core_type(t->name);
	return type ? same_name(t, type, why) : NULL;
}
