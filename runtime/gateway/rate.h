/* SPDX-License-Identifier: MIT
 * rate.h - token buckets, and what the clients of one address do together. */
#ifndef RATE_H
#define RATE_H

#include "base.h"

/* A bucket of one second's worth that fills with `rate` tokens/s, kept as the moment when it will
 * be full (the generic cell rate algorithm, ITU-T I.371); zero is full. Takes a token, or returns
 * false. rate 0: any number. Any thread, as are all here. */
bool rate_take(_Atomic int64_t *full_ns, int rate, int64_t now_ns);

struct address {
	struct address *next;
	uint8_t key[16];
	_Atomic unsigned conns;         /* changed under the table's lock; it lives as long */
	_Atomic unsigned clients;       /* of these, that are clients or call */
	_Atomic size_t early;           /* see conn_early() */
	_Atomic int64_t full_ns;
};
struct addresses;
struct addresses *addresses_new(void);
/* Whose socket this is: counts a connection of that address. Lives until it is dropped. */
struct address *addresses_hold(struct addresses *all, int fd);
void addresses_drop(struct addresses *all, struct address *a, int64_t now_ns);
/* Forgets those without connections whose bucket is full again. */
void addresses_sweep(struct addresses *all, int64_t now_ns);
void addresses_free(struct addresses *all);

#endif
