/* SPDX-License-Identifier: MIT
 * bell.c - see bell.h.
 *
 * The idea: whoever has something rings, which costs two system calls and a wake, 5 to 30 us where
 * the processor slept, too. So it is rung once until it is heard, and not at all while its thread
 * is awake; and a thread that has just handed a lone question to a worker stays awake for a while,
 * as the answer is mostly there within microseconds.
 *
 * (Nineteen of twenty came within 20 us, where a call took 150.) Where that wait is in vain, next
 * time it is passed over, and if that was no better, the next three times, and so on: so with slow
 * handlers, or no processor for the worker, one question in 64 is waited for.
 *
 * Invariant: `rung` is false before the thread looks at its home for the last time before it
 * sleeps, so either it sees what was made ready, or it is rung for. */
#include "bell.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <x86intrin.h>

#include "../actor.h"

enum { AWAIT_CYCLES = 60000, SHY_MOST = 63 };   /* about 25 us */

int bell_init(struct bell *b)
{
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return b->fd < 0 ? ACTOR_EFAIL : 0;
}

void bell_fini(struct bell *b)
{
	if (b->fd >= 0)
		close(b->fd);
}

/* Partner: bell_heard(). What was made ready before is seen by who hears it. */
void bell_ring(struct bell *b)
{
	if (!atomic_exchange(&b->rung, true))
		eventfd_write(b->fd, 1);
}

void bell_awake(struct bell *b)
{
	atomic_store_explicit(&b->rung, true, memory_order_relaxed);
}

void bell_heard(struct bell *b)
{
	atomic_exchange(&b->rung, false);
}

static bool comes(const struct home *h)
{
	for (uint64_t until = __rdtsc() + AWAIT_CYCLES; __rdtsc() < until; __builtin_ia32_pause())
		if (home_waits(h))
			return true;
	return false;
}

void bell_await(struct bell *b, const struct home *h)
{
	if (home_waits(h))
		return;
	if (b->pass) {
		b->pass--;
		return;
	}
	if (comes(h)) {
		b->shy /= 2;
		return;
	}
	b->shy = b->shy < SHY_MOST / 2 ? 2 * b->shy + 1 : SHY_MOST;
	b->pass = b->shy;
}
