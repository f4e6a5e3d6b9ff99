/* SPDX-License-Identifier: MIT
 * room.c - a room lies behind the one before, in a stretch of addresses that is reserved at once.
 *
 * So a patch neither asks the kernel for addresses nor gives back what it did not need of them: its
 * pages are made before it comes, and those that it leaves are the next one's. (Unmapping would
 * interrupt every processor that runs a thread of ours, in the middle of the patch's answer.)
 *
 *     |taken|taken|  gone  |taken|open, zero|reserved            |
 *                                 ^at        ^open                ^end
 *
 * Threads: the compile thread, and before it has work the one that starts the node. */
#include "room.h"

#include <sys/mman.h>

enum { PAGE = 4096, STRETCH = 16 * ROOM };

static struct { char *at, *open, *end; } room;

static size_t pages(size_t size)
{
	return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

char *room_at(void)
{
	void *at;

	if (room.end - room.at >= ROOM)
		return room.at;
	room_drop();
	at = mmap(NULL, STRETCH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	room.at = room.open = at;
	room.end = room.at + STRETCH;
	return room.at;
}

bool room_open(size_t size)
{
	char *to = room.at + pages(size);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

	if (to <= room.open)
		return true;
	if (to > room.end || mmap(room.open, (size_t)(to - room.open), PROT_READ | PROT_WRITE,
	                          flags, -1, 0) != room.open)
		return false;
	room.open = to;
	return true;
}

void room_take(size_t size)
{
	room.at += pages(size);
}

void room_drop(void)
{
	if (room.at < room.end)
		munmap(room.at, (size_t)(room.end - room.at));
	room.at = room.open = room.end = NULL;
}
