/* SPDX-License-Identifier: MIT
 * arena_ice: the floor of the arena freezes. Discs slide on, and the walls throw them back. */
#include <string.h>

#include "actor.h"
#include "arena.h"

static void slide(double *at, double *speed, double towards, double most)
{
	*speed = *speed * 0.97 + towards * 0.9;
	*at += *speed;
	if (*at < 24 || *at > most - 24) {
		*speed = -*speed;
		*at = *at < 24 ? 24 : most - 24;
	}
}

static int move(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	strcpy(a->motion, "ice: you slide, walls throw you back");
	for (int i = 0; i < ARENA_PLAYERS; i++) {
		struct arena_player *p = &a->player[i];

		slide(&p->x, &p->vx, p->dx, ARENA_WIDTH);
		slide(&p->y, &p->vy, p->dy, ARENA_HEIGHT);
	}
	return 0;
}

const struct actor_type patch = {
	.name  = "arena",
	.state = sizeof(struct arena),
	.on    = ON({ "move", "", move, 0 }),
};
