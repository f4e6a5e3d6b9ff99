/* SPDX-License-Identifier: MIT
 * site.c - a site lies behind the one before, in a stretch of addresses that is reserved at once.
 *
 * So a patch neither asks the kernel for addresses nor gives back what it did not need of them: its
 * pages are made before it comes, and those that it leaves are the next one's. (Unmapping would
 * interrupt every processor that runs a thread of ours, in the middle of the patch's answer.)
 *
 *     |taken|taken|  gone  |taken|open, zero|reserved            |
 *                                 ^at        ^open                ^end
 *
 * Threads: the compile thread, and before it has work the one that starts the node. */
#include "site.h"

#include <sys/mman.h>

enum { PAGE = 4096, STRETCH = 16 * SITE };

static struct { char *at, *open, *end; } site;

static size_t pages(size_t size)
{
	return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

char *site_at(void)
{
	void *at;

	if (site.end - site.at >= SITE)
		return site.at;
	site_drop();
	at = mmap(NULL, STRETCH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	site.at = site.open = at;
	site.end = site.at + STRETCH;
	return site.at;
}

bool site_open(size_t size)
{
	char *to = site.at + pages(size);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

	if (to <= site.open)
		return true;
	if (to > site.end || mmap(site.open, (size_t)(to - site.open), PROT_READ | PROT_WRITE,
	                          flags, -1, 0) != site.open)
		return false;
	site.open = to;
	return true;
}

void site_take(size_t size)
{
	site.at += pages(size);
}

void site_drop(void)
{
	if (site.at < site.end)
		munmap(site.at, (size_t)(site.end - site.at));
	site.at = site.open = site.end = NULL;
}
