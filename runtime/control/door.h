/* SPDX-License-Identifier: MIT
 * door.h - the listening socket of the control room: made, locked, taken over, removed. */
#ifndef DOOR_H
#define DOOR_H

#include <sys/types.h>

#include "path.h"

struct door {
	int fd;                         /* listens; whoever takes it sets it to -1 */
	int lock;                       /* PATH.lock, held as long as the door is open */
	char path[PATH_SIZE];
	dev_t dev; ino_t ino;           /* of the socket we made */
};

/* At path, or at the default place where it is NULL. 0, or ACTOR_EFAIL with why, nothing
 * left behind. */
int  door_open(struct door *d, const char *path, struct why *why);
/* May the process at the other end of this connection come in: is it our user's, or root's? */
bool door_admits(int connection, unsigned *uid);
void door_close(struct door *d);        /* removes socket and lock */

#endif
