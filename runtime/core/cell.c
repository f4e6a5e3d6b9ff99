/* SPDX-License-Identifier: MIT
 * cell.c - the region of cells, and which of them are free.
 *
 * Free cells are in magazines, chains by link, two a thread; whole ones are exchanged with a depot
 * under a lock. The depot is a chain of magazines, by q of the first cell of each, whose `elder`
 * says how many cells there are. Where few actors are allowed magazines hold one, which no thread
 * keeps: the limit is exact. */
#include "cell.h"

#include <sys/mman.h>

enum { FIRST_CELL = 1, DEFAULT_MAX = 16 << 20, KEPT_MOST = 64, FEW = 1 << 16 };

char *cell_region;
uint32_t cell_limit;

static struct {
	spinlock lock;
	uint32_t depot;                 /* first cell of its first magazine; 0: none */
	uint32_t magazine;              /* cells of one */
	_Atomic uint32_t next;          /* never used so far; written under the lock */
} cells = { .next = FIRST_CELL };

int cell_init(uint32_t max_actors, struct why *why)
{
	uint32_t most = max_actors ? max_actors : DEFAULT_MAX;
	size_t size = (size_t)(most + FIRST_CELL) * sizeof(struct actor);

	if (cell_region)
		return 0;
	cell_region = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cell_region == MAP_FAILED) {
		cell_region = NULL;
		return why_set(why, ACTOR_ENOMEM,
			       "cannot reserve address space for %u actors (%zu MiB)", most,
			       size >> 20);
	}
	cells.magazine = most < FEW ? 1 : KEPT_MOST;
	cell_limit = most + FIRST_CELL;
	return 0;
}

uint32_t cell_most(void)
{
	return cell_limit - FIRST_CELL;
}

uint32_t cell_count(void)
{
	return LOAD_ACQUIRE(&cells.next);
}

/* --- the depot ---------- */

/* Cells never used before. Locked. */
static struct magazine carve(void)
{
	uint32_t at = LOAD(&cells.next), left = cell_limit - at,
		 n = left < cells.magazine ? left : cells.magazine;

	for (uint32_t i = at; i < at + n; i++) {
		STORE(&cell_at(i)->head, (uint64_t)TOP_DEAD);   /* until it is born */
		STORE(&cell_at(i)->link, i + 1 < at + n ? i + 1 : 0);
	}
	STORE_RELEASE(&cells.next, at + n);     /* partner: cell_count() */
	return (struct magazine){ at, n };
}

static struct magazine take(void)
{
	struct magazine m;

	spin_lock(&cells.lock);
	if (cells.depot) {
		struct actor *first = cell_at(cells.depot);

		m = (struct magazine){ cells.depot, first->elder };
		cells.depot = first->q;
	} else {
		m = carve();
	}
	spin_unlock(&cells.lock);
	return m;
}

static void put(struct magazine m)
{
	struct actor *first = cell_at(m.list);

	if (!m.n)
		return;
	first->elder = m.n;
	spin_lock(&cells.lock);
	first->q = cells.depot;
	cells.depot = m.list;
	spin_unlock(&cells.lock);
}

/* --- a thread's ---------- */

static COLD bool refill(struct cell_pool *p)
{
	p->free = p->spare.n ? p->spare : take();
	p->spare = (struct magazine){ 0, 0 };
	return p->free.n;
}

static COLD void give_back(struct cell_pool *p)
{
	put(cells.magazine > 1 ? p->spare : p->free);
	if (cells.magazine > 1)
		p->spare = p->free;
	p->free = (struct magazine){ 0, 0 };
}

struct actor *cell_new(struct cell_pool *p)
{
	struct actor *a;

	if (unlikely(!p->free.n) && !refill(p))
		return NULL;
	a = cell_at(p->free.list);
	p->free.list = LOAD(&a->link);
	p->free.n--;
	return a;
}

void cell_free(struct cell_pool *p, struct actor *a)
{
	STORE(&a->link, p->free.list);
	p->free.list = cell_index(a);
	if (unlikely(++p->free.n == cells.magazine))
		give_back(p);
}

void cell_pool_empty(struct cell_pool *p)
{
	put(p->free);
	put(p->spare);
	*p = (struct cell_pool){ .free = { 0, 0 } };
}
