/* SPDX-License-Identifier: MIT
 * lease.c - see lease.h.
 *
 *      corr: | a mark's | lease:20 | serial:27 | place:16 |
 *
 * Who sees a renewal sees which lease it is of: the number is written first, and read last. Who
 * finds that it has lapsed ends it, so what one has found void is void for all. */
#include "lease.h"

#include "ports.h"
#include "sync.h"

enum { LEASE_SHIFT = 43, LEASE_MASK = 0xfffff, MARK_SHIFT = 63 };

static _Atomic uint32_t current;        /* 0: there was none yet */
static _Atomic int64_t until_ms;

/* For good: a renewal that looked at the clock just before does not bring it back. */
static void end(uint32_t lease)
{
	atomic_compare_exchange_strong(&current, &lease, lease % LEASE_MASK + 1);
}

void core_lease_until(int64_t ms)
{
	if (boot_ms() >= LOAD(&until_ms))
		end(LOAD(&current));
	STORE_RELEASE(&until_ms, ms);
}

bool core_lease_holds(uint32_t lease)
{
	bool lasts = boot_ms() < LOAD_ACQUIRE(&until_ms);

	if (!lasts)
		end(lease);
	return lasts && lease == LOAD(&current);
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
	bool mark = m->corr >> MARK_SHIFT;
	uint32_t lease = m->corr >> LEASE_SHIFT & LEASE_MASK;

	*number = m->corr & ((1ull << LEASE_SHIFT) - 1);
	m->flags &= (uint8_t)~MSG_LEASED;
	m->corr = mark ? 0 : *number;
	return core_lease_holds(lease);
}
