/* SPDX-License-Identifier: MIT
 * make.h - a patch's source compiled and held against what runs. The compile thread. */
#ifndef MAKE_H
#define MAKE_H

#include "history.h"

/* Where a patch's time goes: moments of now_ns(). */
struct stages { int64_t taken, begun, compiled, checked, written, forced; };

struct made {
	struct source source;
	struct program *program;
	struct code *code;              /* one hold */
	struct exam exam;
	struct exported e;
};

/* 0, or an error with diagnostics said and nothing to drop. Borrows s and said. at: when it was
 * compiled; NULL: nobody wants to know. */
int  made_from(struct made *m, const struct patch_source *s, struct stages *at, struct buf *said);
/* Its tables in force as patch number; check_only: could they be? 0, or negative with why. */
int  made_force(const struct made *m, uint32_t number, bool check_only, struct why *why);
void made_drop(struct made *m);
/* What it has for that handler of that type; NULL: nothing. */
const struct actor_handler *made_handler(const struct made *m, const struct type *type,
                                         const char *name);

#endif
