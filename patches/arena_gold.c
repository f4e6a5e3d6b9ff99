/* SPDX-License-Identifier: MIT
 * arena_gold: every gem turns to gold, worth five points, and is taken from further away. */
#include <string.h>

#include "actor.h"
#include "arena.h"

enum { GOLD = 5, REACH = 60 };

/* The corner that is farthest from where it was, a little aside: nobody takes two at once. */
static void put_elsewhere(struct arena *a, struct arena_gem *g)
{
	g->x = g->x < ARENA_WIDTH / 2 ? ARENA_WIDTH - 60 - a->ticks * 37 % 600
	                              : 60 + a->ticks * 37 % 600;
	g->y = 60 + a->ticks * 61 % (ARENA_HEIGHT - 120);
}

static int eat(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	strcpy(a->prize, "gold: every gem is five points");
	for (int g = 0; g < ARENA_GEMS; g++) {
		a->gem[g].worth = GOLD;
		for (int i = 0; i < ARENA_PLAYERS; i++) {
			struct arena_player *p = &a->player[i];
			double dx = a->gem[g].x - p->x, dy = a->gem[g].y - p->y;

			if (!p->session || dx * dx + dy * dy > REACH * REACH)
				continue;
			p->score += GOLD;
			put_elsewhere(a, &a->gem[g]);
		}
	}
	return 0;
}

const struct actor_type patch = {
	.name  = "arena",
	.state = sizeof(struct arena),
	.on    = ON({ "eat", "", eat, 0 }),
};
