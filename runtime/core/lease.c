/* SPDX-License-Identifier: MIT
 * lease.c - see lease.h.
 *
 *      corr: | a mark's | lease:20 | serial:27 | place:16 |
 *
 * Who sees a renewal sees which lease it is of: the number is written first, and read last. */
#include "lease.h"

#include "ports.h"
#include "sync.h"

enum { LEASE_SHIFT = 43, LEASE_MASK = 0xfffff, MARK_SHIFT = 63 };

static _Atomic uint32_t current;        /* 0: there was none yet */
static _Atomic int64_t until_ms;

void core_lease_until(int64_t ms)
{
	if (now_ms() >= LOAD(&until_ms))
		STORE(&current, LOAD(&current) % LEASE_MASK + 1);
	STORE_RELEASE(&until_ms, ms);
}

uint32_t core_lease(void)
{
	return LOAD(&current);
}

uint64_t lease_corr(uint32_t lease, uint64_t number, bool asked)
{
	return (uint64_t)!asked << MARK_SHIFT | (uint64_t)lease << LEASE_SHIFT | number;
}

bool lease_off(struct msg *m, uint64_t *number)
{
	bool mark = m->corr >> MARK_SHIFT, lasts = now_ms() < LOAD_ACQUIRE(&until_ms);
	uint32_t lease = m->corr >> LEASE_SHIFT & LEASE_MASK;

	*number = m->corr & ((1ull << LEASE_SHIFT) - 1);
	m->flags &= (uint8_t)~MSG_LEASED;
	m->corr = mark ? 0 : *number;
	return lasts && lease == LOAD(&current);
}
