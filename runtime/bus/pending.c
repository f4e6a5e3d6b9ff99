/* SPDX-License-Identifier: MIT
 * pending.c - see pending.h: places, and chains of them that double with their number. */
#include "pending.h"

enum { FIRST_ROOM = 256 };      /* a power of two, like its doubles */

static uint32_t *chain_of(const struct pendings *ps, int64_t ask)
{
	return &ps->chain[(uint64_t)ask * 0x9e3779b97f4a7c15u >> 32 & (ps->room - 1)];
}

static COLD void grow(struct pendings *ps)
{
	uint32_t old = ps->room;

	ps->room = old ? 2 * old : FIRST_ROOM;
	ps->place = mem_resize(ps->place, ps->room * sizeof *ps->place);
	ps->chain = mem_resize(ps->chain, ps->room * sizeof *ps->chain);
	memset(ps->chain, 0xff, ps->room * sizeof *ps->chain);
	for (uint32_t i = 0; i < old; i++) {    /* all are taken, else there were no need to grow */
		uint32_t *at = chain_of(ps, ps->place[i].ask);

		ps->place[i].next = *at;
		*at = i;
	}
	for (uint32_t i = ps->room; i-- > old; ) {
		ps->place[i] = (struct pending){ .next = ps->free };
		ps->free = i;
	}
}

struct pending *pending_add(struct pendings *ps, int64_t ask)
{
	struct pending *p;
	uint32_t at, *chain;

	if (ps->free == PENDING_NONE)
		grow(ps);
	at = ps->free;
	p = &ps->place[at];
	ps->free = p->next;
	chain = chain_of(ps, ask);
	p->ask = ask;
	p->next = *chain;
	*chain = at;
	ps->n++;
	return p;
}

/* Where it hangs; NULL: there is none (any more). */
static uint32_t *hangs_at(const struct pendings *ps, int64_t ask)
{
	uint32_t *at = ps->room ? chain_of(ps, ask) : NULL;

	while (at && *at != PENDING_NONE && ps->place[*at].ask != ask)
		at = &ps->place[*at].next;
	return at && *at != PENDING_NONE ? at : NULL;
}

struct pending *pending_find(const struct pendings *ps, int64_t ask)
{
	uint32_t *at = hangs_at(ps, ask);

	return at ? &ps->place[*at] : NULL;
}

struct pending *pending_take(struct pendings *ps, int64_t ask)
{
	uint32_t *at = hangs_at(ps, ask);
	struct pending *p = at ? &ps->place[*at] : NULL;

	if (p) {
		*at = p->next;
		ps->n--;
	}
	return p;
}

void pending_free(struct pendings *ps, struct pending *p)
{
	buf_clear(&p->bytes);
	*p = (struct pending){ .next = ps->free, .bytes = p->bytes };
	ps->free = (uint32_t)(p - ps->place);
}

void pending_fini(struct pendings *ps)
{
	for (uint32_t i = 0; i < ps->room; i++)
		buf_fini(&ps->place[i].bytes);
	mem_free(ps->place);
	mem_free(ps->chain);
}
