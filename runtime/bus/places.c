/* SPDX-License-Identifier: MIT
 * places.c - see places.h. Chains, as many as there are records at most, so that each is short; the
 * numbers may come in any pattern, so they are mixed. Records that are done with are used again. */
#include "places.h"

enum { FIRST_ROOM = 64 };

static struct place **chain_of(const struct places *s, uint64_t number)
{
	return &s->chain[number * 0x9e3779b97f4a7c15u >> 32 & (s->room - 1)];
}

static void hang(struct places *s, struct place *p)
{
	struct place **chain = chain_of(s, p->number);

	if (chain - s->chain < s->first)
		s->first = (uint32_t)(chain - s->chain);
	p->next = *chain;
	*chain = p;
}

static COLD void grow(struct places *s)
{
	struct places old = *s;

	s->room = old.room ? 2 * old.room : FIRST_ROOM;
	s->chain = mem_alloc(s->room * sizeof *s->chain);
	for (uint32_t i = 0; i < old.room; i++)
		for (struct place *p = old.chain[i], *next; p; p = next) {
			next = p->next;
			hang(s, p);
		}
	mem_free(old.chain);
}

void places_add(struct places *s, struct place *p)
{
	if (s->n == s->room)
		grow(s);
	hang(s, p);
	s->n++;
}

struct place *places_take(struct places *s, uint64_t number)
{
	struct place **at = s->n ? chain_of(s, number) : NULL, *p;

	while (at && *at && (*at)->number != number)
		at = &(*at)->next;
	p = at ? *at : NULL;
	if (p) {
		*at = p->next;
		s->n--;
	}
	return p;
}

struct place *places_any(struct places *s)
{
	if (!s->n)
		return NULL;
	while (!s->chain[s->first])
		s->first++;
	return places_take(s, s->chain[s->first]->number);
}

void *places_make(struct places *s, size_t size)
{
	struct place *p = s->spare;

	if (!p)
		return mem_alloc(size);
	s->spare = p->next;
	return memset(p, 0, size);
}

void places_drop(struct places *s, void *record)
{
	struct place *p = record;

	if (!p)
		return;
	p->next = s->spare;
	s->spare = p;
}

void places_fini(struct places *s)
{
	for (struct place *p = s->spare, *next; p; p = next) {
		next = p->next;
		mem_free(p);
	}
	mem_free(s->chain);
	*s = (struct places){ 0 };
}

void places_forget(struct places *s)
{
	struct place *p;

	while ((p = places_any(s)))
		mem_free(p);
	places_fini(s);
}
