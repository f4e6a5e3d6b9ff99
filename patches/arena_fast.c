/* SPDX-License-Identifier: MIT
 * arena_fast: a public variable. The arena offers `speed`, which the operator sets (`actorctl var
 * set arena.speed 20`); to a patch it is a C variable of that name. */
#include "actor.h"

extern int64_t speed;

int process(actor *self)
{
	speed = 14;
	actor_log(self, "the arena is faster");
	return 0;
}
