/* SPDX-License-Identifier: MIT
 * bond.c - the holds of bond.h. */
#include "bond.h"

#include "sync.h"

struct bond *bond_new(uint32_t cell, uint64_t born)
{
	struct bond *b = mem_alloc(sizeof *b);

	b->born = born;
	b->cell = cell;
	STORE(&b->holds, 2);
	return b;
}

void bond_drop(struct bond *b)
{
	if (b && atomic_fetch_sub(&b->holds, 1) == 1)
		mem_free(b);
}
