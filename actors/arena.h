/* SPDX-License-Identifier: MIT
 * arena.h - the state of arena, for the patches that change its rules. */
#include <stdint.h>

enum {
	ARENA_PLAYERS = 32, ARENA_GEMS = 24, ARENA_NAME = 24, ARENA_RULE = 48,
	ARENA_TICK_MS = 50, ARENA_WIDTH = 1600, ARENA_HEIGHT = 900, ARENA_REACH = 34,
};

struct arena_player {
	uint64_t session;               /* 0: a free place */
	char name[ARENA_NAME];
	double x, y;                    /* where */
	double vx, vy;                  /* how fast, in units a tick */
	double dx, dy;                  /* where it is steered to, -1 to 1 each */
	int64_t score;
};

struct arena_gem { double x, y; int64_t worth; };

struct arena {
	uint64_t clients;               /* the actor */
	uint64_t dice;
	int64_t ticks, players, ticking;
	struct arena_player player[ARENA_PLAYERS];
	struct arena_gem gem[ARENA_GEMS];
	/* In words, for those who look on: what move, eat and drift do now. */
	char motion[ARENA_RULE], prize[ARENA_RULE], field[ARENA_RULE];
};
