/* SPDX-License-Identifier: MIT
 * answers.h - answering a command: values, or a refusal, to whoever asked. The actor's thread. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "core.h"

static inline int reply(actor *self, const msg *m, struct buf *values, unsigned count)
{
	core_answer(self, msg_defer(m), packed_of(values), count, 0, NULL);
	buf_fini(values);
	return 0;
}

static inline int refuse(actor *self, msg_caller to, int code, const char *text)
{
	core_answer(self, to, (struct packed){ 0 }, 0, code, text);
	return 0;
}

static inline int no_actor(struct why *why, const char *name)
{
	return why_set(why, ACTOR_ENOENT, "no actor named `%s` here; `actorctl ps` lists those "
		"that are", name);
}

#endif
