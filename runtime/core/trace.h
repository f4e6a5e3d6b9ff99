/* SPDX-License-Identifier: MIT
 * trace.h - what a message sets off, as it goes from actor to actor: the side of those that send
 * and run. Whoever looks uses core.h's core_trace_*().
 *
 * A message that is traced says so by its fn, FN_TRACED; its handler's index and the ids of trace
 * and step stand at the end of its block, which is larger for it where it has to be. So others pay
 * nothing. */
#ifndef TRACE_H
#define TRACE_H

#include "table.h"

struct span;    /* the step that a worker is in: one message handled */

/* A call begins that is timed, or whose handler is looked at: it may be the first step of a trace,
 * or the next one of the trace that its message came with. The cycle counter, now. */
uint64_t trace_begin(struct worker *w, struct actor *a, const struct msg *m,
		     const struct entry *e);
/* Its handler has returned. */
void trace_ran(struct worker *w, int rc);
/* What it answered has been sent, too. */
void trace_end(struct worker *w);

/* A message that is sent inside a step: m, or the larger one that it has become, marked. */
struct msg *trace_out(struct worker *w, const struct actor *to, struct msg *m);
/* The one marked last was not taken. */
void trace_refused(struct worker *w, int rc);
/* A marked message is about to be handled: it is as before again, and the next call is a step of
 * its trace; until trace_arrived(). */
void trace_arrives(struct worker *w, struct msg *m);
void trace_arrived(struct worker *w);
/* A marked message that nobody will handle is as before again. */
void trace_lost(struct worker *w, struct msg *m);

#endif
