/* SPDX-License-Identifier: MIT
 * walk.h - past all actors, a slice at a time, so that the loop is free in between. The actor
 * `node`'s thread, which goes on by its handler `walk`. */
#ifndef WALK_H
#define WALK_H

#include "core.h"

struct walk {
	void (*each)(struct walk *w, const struct cell_info *c);
	/* after the last: takes w. gone: nobody is there any more to be told; only frees */
	void (*done)(struct walk *w, bool gone);
	uint32_t at;                    /* the walk's own, as is next */
	struct walk *next;
};

struct walks { struct walk *first; };

/* Takes w. Few actors: done at once. */
void walk_begin(struct walks *s, actor *self, struct walk *w);
void walk_on(struct walks *s, actor *self);
void walks_fini(struct walks *s);

#endif
