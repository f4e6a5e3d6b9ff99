/* SPDX-License-Identifier: MIT
 * room.h - where the code that the trial's process makes comes to lie. The compile thread's. */
#ifndef ROOM_H
#define ROOM_H

#include <stddef.h>
#include <stdbool.h>

enum {
	ROOM = 4 << 20,         /* bytes; a larger program is compiled once more, in process */
	ROOM_READY = 32 << 10,  /* of it are there before the source comes */
};

/* ROOM bytes of addresses that nothing lies at, the same until they are taken; NULL: none. */
char *room_at(void);
/* Its first so many can be written, and are zero. */
bool room_open(size_t size);
/* The first so many pages' worth has an owner, who unmaps it; the next room is behind. */
void room_take(size_t size);
/* Somebody has written into it, or the process ends: the next one is elsewhere. */
void room_drop(void);

#endif
