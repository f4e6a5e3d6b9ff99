/* SPDX-License-Identifier: MIT
 * arena_magnet: gems wake up, and drift to whoever is near. */
#include <math.h>
#include <string.h>

#include "actor.h"
#include "arena.h"

enum { FAR = 420 };

static int drift(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	strcpy(a->field, "magnets: gems come to you");
	for (int g = 0; g < ARENA_GEMS; g++)
		for (int i = 0; i < ARENA_PLAYERS; i++) {
			double dx = a->player[i].x - a->gem[g].x;
			double dy = a->player[i].y - a->gem[g].y;
			double far = sqrt(dx * dx + dy * dy);

			if (!a->player[i].session || far > FAR || far < 1)
				continue;
			a->gem[g].x += dx / far * 5;
			a->gem[g].y += dy / far * 5;
		}
	return 0;
}

const struct actor_type patch = {
	.name  = "arena",
	.state = sizeof(struct arena),
	.on    = ON({ "drift", "", drift, 0 }),
};
