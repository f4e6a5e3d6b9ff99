/* SPDX-License-Identifier: MIT
 * times.h - how long handlers take: some calls are timed, and count for those that are not. */
#ifndef TIMES_H
#define TIMES_H

#include "core.h"
#include "worker.h"

/* Of one handler, on one worker; made at the first call that is timed. In cycles of the counter. */
struct call_times { void *next; _Atomic uint64_t count[TIME_PLACES], most; };

/* The owner: a call that began then has ended. It decides when the next one is timed. */
void times_add(struct worker *w, struct call_count *c, uint64_t began);
double times_cycles_per_ns(void);

#endif
