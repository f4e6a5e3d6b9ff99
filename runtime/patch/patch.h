/* SPDX-License-Identifier: MIT
 * patch.h - C source to running code: compiled by libtcc on a thread of its own, checked, put in
 * force. */
#ifndef PATCH_H
#define PATCH_H

#include "core.h"
#include "record.h"

struct patch_config {
	bool unsigned_redis;            /* take unsigned patches that came through Redis */
};
/* Makes the actor `patch` and the compile thread. */
int  patch_start(const struct patch_config *c, struct why *why);
void patch_quiet(void);                 /* from now on refuses: the node is stopping */
void patch_stop(void);

/* Compiles an actor's source (its own folder is searched for headers, which later patches may
 * include too), adds its type, named as the file is. Start-up, main thread. NULL with why: every
 * diagnostic, file:line: text, one a line. */
struct type *patch_load_source(const char *path, struct why *why);
/* The same for a shared object. */
struct type *patch_load_object(const char *path, struct why *why);

void patch_each(void (*each)(void *arg, const struct patch_info *p), void *arg); /* any thread */

#endif
