/* SPDX-License-Identifier: MIT
 * memory.c - a ring of blocks an actor, a count a patch. */
#include "memory.h"

#include "core.h"
#include "sync.h"

enum { MOST = 64 << 20 };
#define HELD 0x6d656d6f72792121u

struct block {
	struct block *prev, *next;
	size_t size;                    /* what it costs, malloc's own words too */
	uint32_t version;
	uint64_t held;                  /* HELD, and another number once it is not */
	_Alignas(16) unsigned char bytes[];
};
struct memory { size_t size; _Atomic uint64_t *total; struct block all; };

struct count { uint32_t version; uint64_t bytes; };

static struct {
	spinlock lock;
	struct count *at;
	uint32_t n, room;
} counts;

static void count(uint32_t version, int64_t bytes)
{
	uint32_t i = 0;

	if (!version)
		return;
	spin_lock(&counts.lock);
	while (i < counts.n && counts.at[i].version != version)
		i++;
	if (i == counts.n && i == counts.room) {
		counts.room = counts.room ? 2 * counts.room : 16;
		counts.at = mem_resize(counts.at, counts.room * sizeof *counts.at);
	}
	if (i == counts.n)
		counts.at[counts.n++] = (struct count){ .version = version };
	counts.at[i].bytes += (uint64_t)bytes;
	if (!counts.at[i].bytes)
		counts.at[i] = counts.at[--counts.n];
	spin_unlock(&counts.lock);
}

uint64_t core_patch_memory(uint32_t version)
{
	uint64_t bytes = 0;

	spin_lock(&counts.lock);
	for (uint32_t i = 0; i < counts.n; i++)
		if (counts.at[i].version == version)
			bytes = counts.at[i].bytes;
	spin_unlock(&counts.lock);
	return bytes;
}

static struct block *block_of(const void *p)
{
	return (struct block *)((uintptr_t)p - offsetof(struct block, bytes));
}

void *memory_alloc(struct memory **m, _Atomic uint64_t *total, size_t size, uint32_t version)
{
	size_t costs = (offsetof(struct block, bytes) + sizeof(size_t) + size + 15) & ~(size_t)15;
	struct block *b;

	if (size > MOST)
		return NULL;
	if (!*m) {
		*m = mem_alloc(sizeof **m);
		(*m)->all.prev = (*m)->all.next = &(*m)->all;
		(*m)->total = total;
	}
	if (costs > MOST - (*m)->size || !(b = mem_try(sizeof *b + size)))
		return NULL;
	*b = (struct block){ .prev = (*m)->all.prev, .next = &(*m)->all, .size = costs,
			     .version = version, .held = HELD };
	b->prev->next = b->next->prev = b;
	(*m)->size += costs;
	atomic_fetch_add_explicit((*m)->total, costs, memory_order_relaxed);
	count(version, (int64_t)costs);
	return b->bytes;
}

bool memory_is(const void *p)
{
	return (uintptr_t)p % 16 == 0 && block_of(p)->held == HELD;
}

void memory_give_back(struct memory *m, void *p)
{
	struct block *b = block_of(p);

	m->size -= b->size;
	atomic_fetch_sub_explicit(m->total, b->size, memory_order_relaxed);
	count(b->version, -(int64_t)b->size);
	b->prev->next = b->next;
	b->next->prev = b->prev;
	b->held = 0;
	mem_free(b);
}

void memory_drop(struct memory **m)
{
	if (!*m)
		return;
	while ((*m)->all.next != &(*m)->all)
		memory_give_back(*m, (*m)->all.next->bytes);
	mem_free(*m);
	*m = NULL;
}
