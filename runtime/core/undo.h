/* SPDX-License-Identifier: MIT
 * undo.h - actor.h's calls that change what an actor has, for compiled code: while a draft is open
 * each notes how it is undone, or waits until the handler has returned. What each does and returns
 * is in actor.h. */
#ifndef UNDO_H
#define UNDO_H

#include <stdbool.h>

#include "../actor.h"

msg_caller undo_defer(const msg *m);
int64_t undo_asked(actor *self, int64_t number);        /* what an ask has returned; gives it */
int64_t undo_timed(actor *self, int64_t number);        /* the same of a timer */
int undo_client_set(actor *self, actor_ref who, enum client_keep keep, const char *key,
		    const struct actor_site *s, const uint64_t *values);
int undo_client_drop(actor *self, actor_ref who, enum client_keep keep, const char *key);
int undo_client_add(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
		    int64_t *total);
/* A pointer that is no block of an actor's is a fault of the caller's. */
void *undo_alloc(actor *self, size_t size);
void undo_free(actor *self, void *p);
bool undo_may_free(const void *p);
int undo_cancel(actor *self, int64_t timer);
int undo_answer(actor *self, msg_caller to, const struct actor_site *s, const uint64_t *values);
int undo_answer_out(actor *self, msg_caller to, msg_out *o);
int undo_refuse(actor *self, msg_caller to, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int undo_become(actor *self, const char *mode);
int undo_stash(actor *self, const msg *m);
int undo_unstash(actor *self);
int undo_join(actor *self, const char *group, const char *then);
int undo_leave(actor *self, const char *group);
int64_t undo_monitor(actor *self, actor_ref who, const char *then);
int undo_demonitor(actor *self, int64_t number);
int undo_link(actor *self, actor_ref with);
int undo_unlink(actor *self, actor_ref with);
actor_ref undo_spawn(actor *self, const void *type, int by_name, const char *name,
		     const struct actor_site *s, const uint64_t *values);

#endif
