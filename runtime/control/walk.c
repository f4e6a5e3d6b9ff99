/* SPDX-License-Identifier: MIT
 * walk.c - see walk.h. What is born or ends meanwhile is met or not; each is met once at most. */
#include "walk.h"

enum { SLICE = 16384, PAUSE_MS = 1 };

static void pass(void *arg, const struct cell_info *c)
{
	struct walk *w = arg;

	w->each(w, c);
}

/* False: that was the last, and w is gone. */
static bool step(struct walk *w)
{
	if (core_cells(&w->at, SLICE, pass, w))
		return true;
	w->done(w, false);
	return false;
}

void walk_begin(struct walks *s, actor *self, struct walk *w)
{
	w->at = 0;
	if (!step(w))
		return;
	if (!s->first)
		actor_after(self, PAUSE_MS, "walk");
	w->next = s->first;
	s->first = w;
}

void walk_on(struct walks *s, actor *self)
{
	struct walk **at = &s->first;

	while (*at) {
		struct walk *w = *at, *next = w->next;

		if (step(w))
			at = &w->next;
		else
			*at = next;
	}
	if (s->first)
		actor_after(self, PAUSE_MS, "walk");
}

void walks_fini(struct walks *s)
{
	for (struct walk *w = s->first, *next; w; w = next) {
		next = w->next;
		w->done(w, true);
	}
	s->first = NULL;
}
