/* SPDX-License-Identifier: MIT
 * ctl_redis.h - a question to a node through the Redis that it uses, instead of its socket. */
#ifndef CTL_REDIS_H
#define CTL_REDIS_H

#include "ctl_link.h"

/* Connects, and finds a node where none is named. CTL_DONE, or another status with why. */
int  remote_open(struct link *l, const struct ctl *c, struct why *why);
/* As link_call(). */
int  remote_call(struct link *l, const char *to, const char *what, const struct buf *args,
                 unsigned count, struct envelope *answer, struct why *why);
void remote_close(struct link *l);

#endif
