/* SPDX-License-Identifier: MIT
 * cell.c - the region of cells, and which of them are free. */
#include "cell.h"

#include <sys/mman.h>

enum { FIRST_CELL = 1, DEFAULT_MAX = 16 << 20 };

char *cell_region;
uint32_t cell_limit;

/* Free cells under one lock: births and burials are not what must be fast yet. */
static struct {
	spinlock lock;
	uint32_t free;                  /* chain by link */
	uint32_t max;
	_Atomic uint32_t next, live;    /* written under the lock */
} cells = { .next = FIRST_CELL };

int cell_init(uint32_t max_actors, struct why *why)
{
	size_t size;

	if (cell_region)
		return 0;
	cells.max = max_actors ? max_actors : DEFAULT_MAX;
	size = (size_t)(cells.max + FIRST_CELL) * sizeof(struct actor);
	cell_region = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cell_region == MAP_FAILED) {
		cell_region = NULL;
		return why_set(why, ACTOR_ENOMEM,
			       "cannot reserve address space for %u actors (%zu MiB)", cells.max,
			       size >> 20);
	}
	cell_limit = cells.max + FIRST_CELL;
	return 0;
}

uint32_t cell_count(void)
{
	return LOAD_ACQUIRE(&cells.next);
}

uint32_t cell_live(void)
{
	return LOAD(&cells.live);
}

struct actor *cell_new(void)
{
	struct actor *a = NULL;

	spin_lock(&cells.lock);
	if (cells.free) {
		a = cell_at(cells.free);
		cells.free = LOAD(&a->link);
	} else if (LOAD(&cells.next) < cells.max + FIRST_CELL) {
		a = cell_at(LOAD(&cells.next));
		STORE(&a->head, (uint64_t)TOP_DEAD);            /* until it is born */
		STORE_RELEASE(&cells.next, LOAD(&cells.next) + 1);  /* partner: cell_count() */
	}
	if (a)
		COUNT_UP(&cells.live, 1);
	spin_unlock(&cells.lock);
	return a;
}

void cell_free(struct actor *a)
{
	spin_lock(&cells.lock);
	STORE(&a->link, cells.free);
	cells.free = cell_index(a);
	COUNT_UP(&cells.live, -1u);
	spin_unlock(&cells.lock);
}
