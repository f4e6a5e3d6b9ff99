/* SPDX-License-Identifier: MIT
 * lease.h - messages that are handled only while a lease holds: what a process was given of a
 * stream is its own for so long, then others may have it.
 *
 * There is one lease a process. Whoever renews it tells until when it holds; once it has lapsed,
 * the next renewal begins another one, and what was sent under the one before stays void. So a
 * process that slept (SIGSTOP, a frozen cgroup) handles nothing of what was its own before,
 * whichever of its threads wakes first: each such message is held against the clock as it is about
 * to be handled. One whose handler had begun goes on. The clock is boot_ms(), so a machine that was
 * suspended is noticed, too.
 *
 * A message under a lease is a question by its flags and has MSG_ERR, which else only answers have.
 * Its corr is the lease's number beside that of the question (which has no deadline then), or of
 * the mark behind it (core_follow()); whoever asked is told CORE_LAPSED by that where it is void.
 * So others pay nothing for it. Any thread, but for the renewal. */
#ifndef LEASE_H
#define LEASE_H

#include "core.h"
#include "message.h"

enum { MSG_LEASED = MSG_ERR };

static inline bool lease_is_on(const struct msg *m)
{
	return (m->flags & (MSG_LEASED | MSG_ANSWER)) == MSG_LEASED;
}
/* The corr of a message under it. asked: number is of the question that it is, not of a mark. */
uint64_t lease_corr(uint32_t lease, uint64_t number, bool asked);
/* From here on m is a message like others. False: it is void, and *number is to be told. */
bool lease_off(struct msg *m, uint64_t *number);

#endif
