/* SPDX-License-Identifier: MIT
 * crowd.h - what counts for all connections together, whichever thread they live on, and for those
 * of one address. Any thread. */
#ifndef CROWD_H
#define CROWD_H

#include "limits.h"
#include "rate.h"

struct crowd {
	struct gateway_limits limits;
	struct addresses *addresses;
	_Atomic unsigned present;       /* that are clients or call */
	_Atomic size_t early;           /* bytes of long messages before a login */
};
void crowd_init(struct crowd *c, const struct gateway_limits *l);
void crowd_fini(struct crowd *c);

/* A connection has come: whose it is, until crowd_bye(). NULL: there are too many of its address,
 * it is to be closed. */
struct address *crowd_admit(struct crowd *c, int fd);
void crowd_bye(struct crowd *c, struct address *from);  /* it is closed; NULL is fine */
/* One that is a client, or calls, counts for all limits between these two. */
void crowd_enter(struct crowd *c, struct address *from);
void crowd_leave(struct crowd *c, struct address *from);
/* With it there are more than may be: why, in words. NULL: there are not. */
const char *crowd_full(const struct crowd *c, const struct address *from);
/* So many bytes of its long messages now, `was` before. False: all have too many of them. */
bool crowd_early(struct crowd *c, struct address *from, size_t was, size_t now);
/* Logins that are refused, of one address: may it try another? NULL, or why not, in words. */
const char *crowd_barred(const struct crowd *c, const struct address *from);
void crowd_refused(struct crowd *c, struct address *from);

#endif
