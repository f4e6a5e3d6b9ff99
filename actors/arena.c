/* SPDX-License-Identifier: MIT
 * arena: a small game that clients play together, on the page at `/`. Each steers a disc and
 * collects gems; twenty times a second all who look on are told where everything is.
 *
 * A tick is a message that sends four: move, eat, drift and show. Each is a handler of its own, a
 * few lines long, and says its rule in words: patches/arena_*.c replace one each, while the game
 * goes on. Nobody there: no ticks. */
#include "arena.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "actor.h"

enum { SPEED = 9 };             /* of a disc, a tick */

static int64_t speed = SPEED;

/* Source: xorshift64, Marsaglia, "Xorshift RNGs", 2003. */
static double roll(struct arena *a, double below)
{
	a->dice ^= a->dice << 13;
	a->dice ^= a->dice >> 7;
	a->dice ^= a->dice << 17;
	return (double)(a->dice >> 11) / 9007199254740992.0 * below;
}

static void put_gem(struct arena *a, struct arena_gem *g)
{
	g->x = 40 + roll(a, ARENA_WIDTH - 80);
	g->y = 40 + roll(a, ARENA_HEIGHT - 80);
	g->worth = 1;
}

static int start(actor *self)
{
	struct arena *a = actor_state(self);

	a->clients = actor_find("clients");
	a->dice = (uint64_t)actor_now() * 2 + 1;
	for (int i = 0; i < ARENA_GEMS; i++)
		put_gem(a, &a->gem[i]);
	return actor_join(self, "beforeQuit", "quit");
}

static int turn(actor *self)
{
	actor_ref me = actor_self(self);

	return actor_send(self, me, "move") || actor_send(self, me, "eat") ||
	       actor_send(self, me, "drift") || actor_send(self, me, "show");
}

/* --- who plays ---------------------------------------------------------------------------- */

static struct arena_player *player_of(struct arena *a, uint64_t session)
{
	for (int i = 0; i < ARENA_PLAYERS; i++)
		if (a->player[i].session == session)
			return &a->player[i];
	return 0;
}

static int is_client(uint64_t session)
{
	char user[2];

	return session && client_user(session, user, sizeof user) > 0;
}

/* Looks on only, until it enters. Where nobody plays a turn says what the rules are. Answers the
 * number by which it plays, -1 for none: a page asks whether it does, still. */
static int watch(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);
	struct arena_player *p = player_of(a, msg_from(m));

	if (!is_client(msg_from(m)))
		return msg_fail(m, "only clients look on");
	actor_send(self, a->clients, "join", "arena", msg_from(m));
	if (p)
		return msg_reply(m, p - a->player);
	msg_reply(m, -1);
	return a->players ? actor_send(self, actor_self(self), "show") : turn(self);
}

/* As much of it as there is room for, in whole characters. */
static void take_name(struct arena_player *p, const char *name)
{
	size_t n = strlen(name) < sizeof p->name ? strlen(name) : sizeof p->name - 1;

	while (n && (name[n] & 0xc0) == 0x80)
		n--;
	memcpy(p->name, name, n);
	p->name[n] = 0;
}

/* One tick is under way at most, also where who was alone left and another came before it. */
static void keep_ticking(actor *self, struct arena *a)
{
	if (!a->ticking && a->players)
		a->ticking = actor_after(self, ARENA_TICK_MS, "tick") > 0;
}

static int enter(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);
	struct arena_player *p = player_of(a, msg_from(m));
	int is_new = !p;

	if (!is_client(msg_from(m)))
		return msg_fail(m, "only clients play");
	if (is_new)
		p = player_of(a, 0);
	if (!p)
		return msg_fail(m, "the arena is full: %d play already", ARENA_PLAYERS);
	if (is_new) {
		memset(p, 0, sizeof *p);
		p->session = msg_from(m);
		p->x = 60 + roll(a, ARENA_WIDTH - 120);
		p->y = 60 + roll(a, ARENA_HEIGHT - 120);
		a->players++;
		keep_ticking(self, a);
	}
	take_name(p, msg_str(m, 0));
	actor_send(self, a->clients, "join", "arena", msg_from(m));
	return msg_reply(m, p - a->player);
}

static double within(double v, double least, double most)
{
	return v > most ? most : v < least ? least : v;         /* a NaN is none of both */
}

static int steer(actor *self, const msg *m)
{
	struct arena_player *p = player_of(actor_state(self), msg_from(m));
	double dx = msg_num(m, 0), dy = msg_num(m, 1), len = sqrt(dx * dx + dy * dy);

	if (!p || !p->session)
		return msg_fail(m, "enter first");
	if (!(len >= 0 && len < 1e9))
		return msg_fail(m, "steer takes two numbers from -1 to 1");
	p->dx = dx / (len > 1 ? len : 1);
	p->dy = dy / (len > 1 ? len : 1);
	return 0;
}

static void leave(actor *self, struct arena *a, struct arena_player *p)
{
	p->session = 0;
	if (!--a->players)
		actor_send(self, actor_self(self), "show");
}

static int quit(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);
	struct arena_player *p = player_of(a, msg_from(m));

	if (p && p->session)
		leave(self, a, p);
	return 0;
}

/* Who entered by HTTP is gone when that is answered, and no beforeQuit tells of it. */
static void sweep(actor *self, struct arena *a)
{
	for (int i = 0; i < ARENA_PLAYERS; i++)
		if (a->player[i].session && !is_client(a->player[i].session))
			leave(self, a, &a->player[i]);
}

/* --- a tick ------------------------------------------------------------------------------- */

static int tick(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	a->ticking = 0;
	sweep(self, a);
	keep_ticking(self, a);
	if (!a->players)
		return 0;
	a->ticks++;
	return turn(self);
}

static int move(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	snprintf(a->motion, sizeof a->motion, "%swalls stop you", speed > SPEED ? "faster; " : "");
	for (int i = 0; i < ARENA_PLAYERS; i++) {
		struct arena_player *p = &a->player[i];

		p->vx = p->dx * (double)speed;
		p->vy = p->dy * (double)speed;
		p->x = within(p->x + p->vx, 24, ARENA_WIDTH - 24);
		p->y = within(p->y + p->vy, 24, ARENA_HEIGHT - 24);
	}
	return 0;
}

static int eat(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	strcpy(a->prize, "a gem is a point");
	for (int g = 0; g < ARENA_GEMS; g++)
		for (int i = 0; i < ARENA_PLAYERS; i++) {
			struct arena_player *p = &a->player[i];
			double dx = a->gem[g].x - p->x, dy = a->gem[g].y - p->y;

			if (!p->session || dx * dx + dy * dy > ARENA_REACH * ARENA_REACH)
				continue;
			p->score += 1;
			put_gem(a, &a->gem[g]);
		}
	return 0;
}

static int drift(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);

	(void)m;
	strcpy(a->field, "gems lie still");
	return 0;
}

/* To all who look on: players (number, name, x, y, score), gems (x, y, worth), the rules. */
static int show(actor *self, const msg *m)
{
	struct arena *a = actor_state(self);
	msg_out *o = msg_values(self);

	(void)m;
	out_str(o, "arena");
	out_str(o, "arena");
	out_list(o, (unsigned)a->players);
	for (int i = 0; i < ARENA_PLAYERS; i++) {
		struct arena_player *p = &a->player[i];

		if (!p->session)
			continue;
		out_list(o, 5);
		out_int(o, i);
		out_str(o, p->name);
		out_int(o, (int64_t)p->x);
		out_int(o, (int64_t)p->y);
		out_int(o, p->score);
	}
	out_list(o, ARENA_GEMS);
	for (int g = 0; g < ARENA_GEMS; g++) {
		out_list(o, 3);
		out_int(o, (int64_t)a->gem[g].x);
		out_int(o, (int64_t)a->gem[g].y);
		out_int(o, a->gem[g].worth);
	}
	out_list(o, 3);
	out_str(o, a->motion);
	out_str(o, a->prize);
	out_str(o, a->field);
	return actor_send_out(self, a->clients, "room", o);
}

const struct actor_type arena = {
	.name  = "arena",
	.state = sizeof(struct arena),
	.start = start,
	.offers = OFFERS(OFFER_VAR(speed, 0, 40)),
	.on    = ON({ "watch", "",            watch, ON_CLIENT },
	            { "enter", "name:str",    enter, ON_CLIENT },
	            { "steer", "x:num y:num", steer, ON_CLIENT },
	            { "quit",  "user:str?",   quit,  ON_CLIENT },
	            { "tick",  "",            tick,  0 },
	            { "move",  "",            move,  0 },
	            { "eat",   "",            eat,   0 },
	            { "drift", "",            drift, 0 },
	            { "show",  "",            show,  0 }),
};
