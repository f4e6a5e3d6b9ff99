/* SPDX-License-Identifier: MIT
 * send.h - from a name and values to a message in a mailbox. */
#ifndef SEND_H
#define SEND_H

#include "table.h"

/* The scheduler's: a has just got something to do and is in no queue. w: the calling thread's worker. */
extern void (*send_ready)(struct worker *w, struct actor *a);

struct target {
	struct actor *cell;
	uint32_t gen;
	const char *name;       /* as it was addressed, when by name */
};
/* 0, or ACTOR_ENOENT with why. Inside a turn. */
int target_find(actor_ref to, struct target *t, struct why *why);

/* What is known of a message besides its values. */
struct letter {
	actor_ref to; const char *what;
	uint64_t from, corr;            /* corr 0: nobody waits for an answer */
	uint8_t origin;
	bool client;                    /* only ON_CLIENT handlers exist */
};
/* Resolves, checks, builds, pushes. args is changed. */
int send_args(struct worker *w, const struct letter *l, struct arg *args, unsigned n, struct why *why);

int send_packed(struct worker *w, const struct letter *l, struct packed in, unsigned count, struct why *why);
/* From a call site that may be remembered. */
int send_site(struct worker *w, const struct letter *l, struct actor_site *s, const uint64_t *values);

/* A message to this very actor for one of its own handlers, not sent yet (for a timer). NULL with why. */
struct msg *send_prepare(struct worker *w, struct actor *a, const char *what, struct arg *args, unsigned n,
                         struct why *why);

/* Pushes, makes ready, frees m where it cannot be taken. beyond: as cell_push(). 0, ACTOR_EFULL, ACTOR_ENOENT. */
int send_push(struct worker *w, struct actor *a, struct msg *m, bool beyond);
/* A message of the core's own; one of the control lane overtakes, and knows no limits. */
void send_control(struct worker *w, uint64_t id, uint16_t fn);
void send_special(struct worker *w, uint64_t id, uint16_t fn, uint64_t corr);
/* The answer to question corr of actor `to`. code 0: the values; else they are left out, and text says why. */
void send_answer(struct worker *w, uint64_t to, uint64_t corr, const struct arg *args, unsigned n, int code,
                 const char *text);
/* The gathered messages of the handler that has just ended, or is about to send to somebody else. */
void send_box(struct worker *w);
/* Counts m as a dead letter and tells who waits for an answer. m stays the caller's. */
void send_dead(struct worker *w, struct msg *m, const char *reason);
/* The same for a chain, which is freed. */
void send_dead_chain(struct worker *w, uint32_t top, uint32_t last, const char *reason);

#endif
