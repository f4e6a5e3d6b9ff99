/* SPDX-License-Identifier: MIT
 * rate.h - token buckets, and what the clients of one address do together. */
#ifndef RATE_H
#define RATE_H

#include "base.h"

/* A bucket of one second's worth that fills with `rate` tokens/s, kept as the moment when it will
 * be full (the generic cell rate algorithm, ITU-T I.371); zero is full. Takes a token, or returns
 * false. rate 0: any number. Any thread, as are all here. */
bool rate_take(_Atomic int64_t *full_ns, int rate, int64_t now_ns);
/* The same of a bucket of `burst` tokens, for what is paid for afterwards: is there one left? And
 * takes one, whether it is there or not; the debt is at most another bucket. */
bool rate_has(const _Atomic int64_t *full_ns, int rate, int burst, int64_t now_ns);
void rate_charge(_Atomic int64_t *full_ns, int rate, int burst, int64_t now_ns);

struct address {
	struct address *next;
	uint8_t key[16];
	_Atomic unsigned conns;         /* changed under the table's lock; it lives as long */
	_Atomic unsigned clients;       /* of these, that are clients or call */
	_Atomic size_t early;           /* see crowd_early() */
	_Atomic int64_t full_ns, logins_full_ns;        /* of messages; of refused logins */
};
struct addresses;
struct addresses *addresses_new(void);
/* Whose socket this is: counts a connection of that address. Lives until it is dropped. */
struct address *addresses_hold(struct addresses *all, int fd);
void addresses_drop(struct addresses *all, struct address *a, int64_t now_ns);
/* Forgets those without connections whose buckets are full again. */
void addresses_sweep(struct addresses *all, int64_t now_ns);
void addresses_free(struct addresses *all);

#endif
