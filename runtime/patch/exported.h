/* SPDX-License-Identifier: MIT
 * exported.h - what a compiled source exports, held against what runs. */
#ifndef EXPORTED_H
#define EXPORTED_H

#include "compile.h"

enum { TARGETS_MAX = 64 };      /* actors that one patch changes */

struct exported {
	struct change change[TARGETS_MAX];
	int n;
	/* of each change: .to NULL: the state stays as it is; the layout of the state that it
	 * makes */
	struct migration migration[TARGETS_MAX];
	const char *layout[TARGETS_MAX];
	bool stated;                            /* one at least says what its state is */
	struct actor_handler one[2];            /* of an eval: the table that its function makes */
	int (*process)(actor *self);            /* NULL: none */
	struct buf targets, handlers;           /* "counter, rpc"; "counter.hit, rpc.test" */
};

/* What is under examination, and where what is wrong with it is said. Borrows. */
struct exam {
	const struct source *source;
	const struct program *program;
	struct buf *said;
};

/* Of a patch: its tables and its process. 0, or an error with diagnostics said. What it fills
 * borrows from the program. */
int exported_read(const struct exam *x, struct exported *e);
/* Of an eval: source->function becomes that handler of that actor. Borrows the names. */
int exported_function(const struct exam *x, const char *actor_name, const char *handler_name,
                      struct exported *e);
/* Of an actor's source: the table under source->own, sound. NULL with diagnostics. */
const struct actor_type *exported_actor(const struct exam *x);
/* The line of the handler that the core's words ("counter.hit ...") begin with, or 0. */
int  exported_line(const struct exam *x, const struct exported *e, const char *words);
void exported_fini(struct exported *e);

#endif
