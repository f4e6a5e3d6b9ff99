/* SPDX-License-Identifier: MIT
 * patch.h - C source to running code: compiled by libtcc on a thread of its own, checked, put in
 * force. */
#ifndef PATCH_H
#define PATCH_H

#include "core.h"
#include "history.h"

struct patch_config {
	bool unsigned_redis;            /* take unsigned patches that came through Redis */
	/* the folder of the journal; NULL: nothing outlasts the process */
	const char *state;
	const char *keys;               /* the file of --patch-keys; NULL: none are taken */
	const char *node, *groups;      /* whom signed patches may be for */
	const char *probation;          /* the terms of it, see watched.h; NULL: the default */
};
/* Makes the actor `patch` and the compile thread. */
int  patch_start(const struct patch_config *c, struct why *why);
/* When all actors are there, before the first message from outside: what was in force before the
 * restart is so again. What cannot be is stale and said in the log. */
void patch_bring_back(void);
void patch_quiet(void);                 /* the node is stopping: from now on only list, show, log */
/* Is it of that actor, and brings a patch or takes one back? What it answers ACTOR_EFULL was not
 * begun. Any thread. */
bool patch_takes(handler *fn);
/* After core_stop(). False: a process, or a compile, does not come back in time, so nothing may be
 * freed. */
bool patch_stop(int ms);

/* Compiles an actor's source (its own folder is searched for headers, which later patches may
 * include too), adds its type, named as the file is. Start-up, main thread. NULL with why: every
 * diagnostic, file:line: text, one a line. */
struct type *patch_load_source(const char *path, struct why *why);
/* The same for a shared object. */
struct type *patch_load_object(const char *path, struct why *why);

/* fn(arg) on the compile thread, between two patches: there patch_load_source() may be called while
 * the node runs. ACTOR_EFAIL with why, and it is not called. Any thread. */
int patch_aside(void (*fn)(void *arg), void *arg, struct why *why);

/* A shipped actor's type is of the source of that name that the runtime carries. */
void patch_shipped(struct type *type, const char *name);

/* An actor's state, of this type, by what is known of its layout: appends a map a field (field,
 * type, value). How many, or -1: nothing is known. Any thread. */
int patch_fields(struct type *type, const void *state, size_t len, struct buf *rows);

/* The newest few; any thread. */
void patch_each(void (*each)(void *arg, const struct patch_info *p), void *arg);

#endif
