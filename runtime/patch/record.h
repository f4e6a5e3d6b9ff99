/* SPDX-License-Identifier: MIT
 * record.h - which patches have been put in force: the newest RECORDS_MAX, without their source.
 * Any thread. */
#ifndef RECORD_H
#define RECORD_H

#include "base.h"

enum { RECORDS_MAX = 1000 };

struct patch_info {
	uint32_t number;
	const char *targets;            /* "counter, rpc" */
	const char *state; /* "in force", "superseded"; "ran": it had no table, only a process */
	const char *handlers;           /* "counter.hit" */
	const char *origin;             /* "redis", "control" */
	int64_t wall_ms; size_t bytes;
	const char *file, *note;        /* as the sender gave them */
};

struct exported;
/* Copies the texts but origin; targets, handlers and the time are filled in. */
void record_add(const struct patch_info *p, const struct exported *e);
void record_each(void (*each)(void *arg, const struct patch_info *p), void *arg); /* oldest first */

#endif
