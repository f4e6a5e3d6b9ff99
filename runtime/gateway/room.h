/* SPDX-License-Identifier: MIT
 * room.h - who is where, by name: a room has members, a member has its seats. */
#ifndef ROOM_H
#define ROOM_H

#include "base.h"

struct seat {
	struct seat *next_in_room, **link;
	struct seat *next;              /* of the same member */
	struct room *room;
	void *who;
};
/* Zero-initialised is empty; rooms come with their first member and go with their last. */
struct rooms { struct room **bucket; uint32_t size, count; };

/* seats: the member's own list, which begins as NULL. False: it is there already. */
bool room_enter(struct rooms *r, const char *name, struct seat **seats, void *who);
bool room_leave(struct rooms *r, const char *name, struct seat **seats);        /* false: is not */
void rooms_leave(struct seat **seats);  /* all its rooms, of whatever struct rooms */
/* The newest first, then by next_in_room; NULL: nobody. */
struct seat *room_seats(const struct rooms *r, const char *name);
unsigned room_count(const struct rooms *r, const char *name);

#endif
