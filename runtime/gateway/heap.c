/* SPDX-License-Identifier: MIT
 * heap.c - what the WebSocket library allocates, counted: its connections, their read buffers, and
 * our struct conn, which it keeps with each. What OpenSSL takes is not in it. Any thread. */
#include "heap.h"

#include <malloc.h>
#include <stdlib.h>

#include "sync.h"

static _Atomic size_t bytes;

void *heap_resize(void *p, size_t size, const char *what)
{
	size_t was = p ? malloc_usable_size(p) : 0;
	void *now = NULL;

	(void)what;
	if (!size)
		free(p);
	else if (!(now = realloc(p, size)))
		return NULL;
	atomic_fetch_add_explicit(&bytes, (now ? malloc_usable_size(now) : 0) - was,
	                          memory_order_relaxed);
	return now;
}

size_t heap_bytes(void)
{
	return LOAD(&bytes);
}

bool heap_has(const void *block, const void *at)
{
	return (uintptr_t)at - (uintptr_t)block < malloc_usable_size((void *)(uintptr_t)block);
}
