/* SPDX-License-Identifier: MIT
 * record.c - a ring of what was put in force.
 *
 * Whether a patch is still in force is not kept but seen: each handler in force says which patch
 * it came with. A type is looked at as long as a record names it; types live for ever.
 *
 * Threads: any, behind one lock. */
#include "record.h"

#include <pthread.h>
#include <stdlib.h>

#include "exported.h"
#include "ports.h"

struct record {
	struct patch_info info;
	int types;
	struct type *type[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record *ring[RECORDS_MAX];
static uint32_t added;

static void record_free(struct record *r)
{
	if (!r)
		return;
	mem_free((char *)r->info.targets);
	mem_free((char *)r->info.handlers);
	mem_free((char *)r->info.file);
	mem_free((char *)r->info.note);
	mem_free(r);
}

static char *text_of(const struct buf *b)
{
	return mem_string(b->len ? b->p : "", b->len);
}

static char *copy(const char *text)
{
	return mem_string(text, strlen(text));
}

void record_add(const struct patch_info *p, const struct exported *e)
{
	struct record *r = mem_alloc(sizeof *r + (size_t)e->n * sizeof r->type[0]);

	r->info = *p;
	r->info.targets = text_of(&e->targets);
	r->info.handlers = text_of(&e->handlers);
	r->info.file = copy(p->file);
	r->info.note = copy(p->note);
	r->info.wall_ms = wall_ms();
	for (; r->types < e->n; r->types++)
		r->type[r->types] = e->change[r->types].type;
	pthread_mutex_lock(&lock);
	record_free(ring[added % RECORDS_MAX]);
	ring[added++ % RECORDS_MAX] = r;
	pthread_mutex_unlock(&lock);
}

/* --- which are in force ---------------------------------------------------------------- */

struct in_force {
	struct type **type;             /* seen already */
	uint32_t *number;               /* of the patches that handlers came with */
	size_t types, numbers;
};

static void note_version(void *arg, const struct handler_info *h)
{
	struct in_force *f = arg;

	if (!h->version)
		return;
	f->number = mem_resize(f->number, (f->numbers + 1) * sizeof *f->number);
	f->number[f->numbers++] = h->version;
}

static void look_at(struct in_force *f, struct type *type)
{
	for (size_t i = 0; i < f->types; i++)
		if (f->type[i] == type)
			return;
	f->type = mem_resize(f->type, (f->types + 1) * sizeof *f->type);
	f->type[f->types++] = type;
	core_handlers(type, note_version, f);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static const char *state_of(const struct in_force *f, const struct record *r)
{
	if (!r->types)
		return "ran";
	return f->numbers && bsearch(&r->info.number, f->number, f->numbers, sizeof *f->number,
	                             by_number)
	               ? "in force"
	               : "superseded";
}

void record_each(void (*each)(void *arg, const struct patch_info *p), void *arg)
{
	struct in_force f = { 0 };
	uint32_t first;

	pthread_mutex_lock(&lock);
	first = added > RECORDS_MAX ? added - RECORDS_MAX : 0;
	for (uint32_t i = first; i < added; i++)
		for (int k = 0; k < ring[i % RECORDS_MAX]->types; k++)
			look_at(&f, ring[i % RECORDS_MAX]->type[k]);
	if (f.numbers)
		qsort(f.number, f.numbers, sizeof *f.number, by_number);
	for (uint32_t i = first; i < added; i++) {
		struct record *r = ring[i % RECORDS_MAX];

		r->info.state = state_of(&f, r);
		each(arg, &r->info);
	}
	pthread_mutex_unlock(&lock);
	mem_free(f.type);
	mem_free(f.number);
}
