/* SPDX-License-Identifier: MIT
 * send.h - from a name and values to a message in a mailbox. */
#ifndef SEND_H
#define SEND_H

#include "post.h"

struct target {
	struct actor *cell;
	uint32_t gen;
	const char *name;       /* as it was addressed, when by name */
};
/* 0, or ACTOR_ENOENT with why. Inside a turn. */
int target_find(actor_ref to, struct target *t, struct why *why);
/* The same, but a proxy that stands for nobody by its id is nobody. */
int target_spoken(actor_ref to, struct target *t, struct why *why);
/* As target_find(), but an actor of another node is nobody. */
int target_here(actor_ref to, struct target *t, struct why *why);

/* What is known of a message besides its values. */
struct letter {
	actor_ref to; const char *what;
	uint64_t from, corr;            /* corr 0: nobody waits for an answer */
	uint8_t origin;
	bool client;                    /* only ON_CLIENT handlers exist */
	bool stays;                     /* as of struct call */
	bool follows;                   /* corr is of the mark that comes behind it */
	uint32_t lease;                 /* as of struct call */
};
/* Resolves, checks, builds, pushes. args is changed. */
int send_args(struct worker *w, const struct letter *l, struct arg *args, unsigned n,
	      struct why *why);

int send_packed(struct worker *w, const struct letter *l, struct packed in, unsigned count,
		struct why *why);
/* From a call site that may be remembered. */
int send_site(struct worker *w, actor_ref to, const char *what, uint64_t from, uint64_t corr,
              struct actor_site *s, const uint64_t *values);

/* A message to this very actor for one of its own handlers, not sent yet (for a timer). Gives *out.
 * ACTOR_ENOENT, ACTOR_EARGS, ACTOR_ENOMEM with why. */
int send_prepare(struct worker *w, struct actor *a, const char *what, struct arg *args, unsigned n,
		 struct why *why, struct msg **out);

/* Pushes, makes ready, frees m where it cannot be taken. 0, ACTOR_EFULL, ACTOR_ENOENT. */
int send_push(struct worker *w, struct actor *a, struct msg *m);

#endif
