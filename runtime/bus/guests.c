/* SPDX-License-Identifier: MIT
 * guests.c - see guests.h.
 *
 * The idea: an actor stands for a user of another node, as a session does for a client here. What
 * its node says that the user calls is sent by that actor, so that msg_from() is a reference of its
 * own, of which client_user() knows the name (keep.h). What is sent to it goes to the user's
 * sessions there, by that node's actor `clients`. Nothing that the user keeps is here.
 *
 * Who waits for an answer stays, and whose calls may have been handled before (msg_again()). The
 * others are idle: with MOST there, the one that called longest ago ends for one that comes; who
 * remembered it gets ACTOR_ENOENT.
 *
 * The loop's thread. */
#include "guests.h"

#include <search.h>
#include <sys/queue.h>

#include "keep.h"
#include "log.h"
#include "places.h"

enum { MOST = 32768, SAY_MS = 5000 };

struct guest {
	struct guests *of;
	struct peer *peer;
	bool again;
	actor *self; actor_id id;
	struct places served;           /* questions here that it waits for */
	unsigned held;
	bool idle; TAILQ_ENTRY(guest) link;     /* idle: in the list */
	char user[];
};

struct guests {
	struct loop *loop;
	void *tree;
	unsigned n;
	struct guest *key;              /* what is looked for; the name has room */
	TAILQ_HEAD(, guest) idle;       /* who called last is the last; some wait by now */
	int64_t said_ms;
};

static int compare(const void *a, const void *b)
{
	const struct guest *x = a, *y = b;

	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return x->again != y->again ? x->again - y->again : strcmp(x->user, y->user);
}

static bool waits(const struct guest *g)
{
	return g->again || g->held || g->served.n;
}

/* It called, or waits for less than before. */
static void settle(struct guest *g)
{
	if (g->idle)
		TAILQ_REMOVE(&g->of->idle, g, link);
	g->idle = !waits(g);
	if (g->idle)
		TAILQ_INSERT_TAIL(&g->of->idle, g, link);
}

/* --- the actor ---------------------------------------------------------------------------- */

/* NULL: it has ended, what came before that is still handled. */
static struct guest *guest_of(actor *self)
{
	return *(struct guest **)actor_state(self);
}

static int routed(actor *self, const msg *m)
{
	struct guest *g = guest_of(self);

	return g ? peer_push(g->peer, m, g->user) : ACTOR_ENOENT;
}

static int answered(actor *self, const msg *m)
{
	struct guest *g = guest_of(self);

	if (g) {
		peer_answered(&g->served, m);
		settle(g);
	}
	return 0;
}

static const struct actor_type types[] = {
	{ .name = "peer_client", .state = sizeof(struct guest *),
	  .on = ON({ "routed", "to:str what:str ...", routed, 0 },
	           { "answered", "...", answered, 0 }) },
	{ .name = "peer_client_again", .state = sizeof(struct guest *),
	  .on = ON({ "routed", "to:str what:str ...", routed, 0 },
	           { "answered", "...", answered, 0 }) },
};

static int make_actor(struct guests *s, struct guest *g, struct why *why)
{
	const struct type_options options = { .proxy = true, .native = true, .again = g->again };
	const struct actor_type *t = &types[g->again];
	struct spawn spawn = { .type = core_type(t->name), .home = loop_home(s->loop),
	                       .init = &g, .size = sizeof g };

	if (!spawn.type)
		spawn.type = core_add_type(t, &options, NULL, why);
	if (!spawn.type || core_spawn(&spawn, &g->id, why) < 0)
		return ACTOR_EFAIL;
	g->self = core_actor(g->id);
	keep_guest(g->id, g->user);
	return 0;
}

/* --- who stays ---------------------------------------------------------------------------- */

static void end(struct guest *g)
{
	keep_close(g->id);
	*(struct guest **)actor_state(g->self) = NULL;
	core_end(g->id);
	places_forget(&g->served);
	mem_free(g);
}

static void make_room(struct guests *s)
{
	struct guest *g;

	while ((g = TAILQ_FIRST(&s->idle)) && waits(g))
		settle(g);
	if (!g)
		return;
	TAILQ_REMOVE(&s->idle, g, link);
	tdelete(g, &s->tree, compare);
	s->n--;
	end(g);
}

static struct guest *refuse(struct guests *s, const struct guest *g, const char *why)
{
	if (now_ms() - s->said_ms >= SAY_MS) {
		s->said_ms = now_ms();
		log_line(LOG_WARN, "bus", "who calls from the node %s is not known here: %s",
		         peer_name(g->peer), why);
	}
	return NULL;
}

static struct guest *make(struct guests *s, const struct guest *key)
{
	struct guest *g;
	struct why why = { "" };

	if (s->n >= MOST)
		make_room(s);
	if (s->n >= MOST)
		return refuse(s, key, "too many clients of other nodes wait for answers");
	g = mem_alloc(sizeof *g + strlen(key->user) + 1);
	memcpy(g, key, sizeof *g + strlen(key->user) + 1);
	if (make_actor(s, g, &why) < 0) {
		mem_free(g);
		return refuse(s, key, why.text);
	}
	tsearch(g, &s->tree, compare);
	s->n++;
	return g;
}

struct guest *guests_get(struct guests *s, struct peer *p, const char *user, bool again)
{
	struct guest **at, *g;

	s->key->peer = p;
	s->key->again = again;
	memcpy(s->key->user, user, strlen(user) + 1);
	at = tfind(s->key, &s->tree, compare);
	g = at ? *at : make(s, s->key);
	if (g)
		settle(g);
	return g;
}

void guest_hold(struct guest *g)
{
	if (g)
		g->held++;
}

void guest_let_go(struct guest *g)
{
	if (!g)
		return;
	g->held--;
	settle(g);
}

const char *guest_user(const struct guest *g)
{
	return g->user;
}

actor *guest_actor(const struct guest *g)
{
	return g->self;
}

struct places *guest_served(struct guest *g)
{
	return &g->served;
}

/* --- its life ----------------------------------------------------------------------------- */

struct guests *guests_new(struct loop *l)
{
	struct guests *s = mem_alloc(sizeof *s);

	s->loop = l;
	TAILQ_INIT(&s->idle);
	s->key = mem_alloc(sizeof *s->key + NAME_MAX_LEN + 1);
	s->key->of = s;
	s->said_ms = -SAY_MS;
	return s;
}

static void forget(void *at)
{
	struct guest *g = at;

	keep_close(g->id);
	places_forget(&g->served);
	mem_free(g);
}

void guests_free(struct guests *s)
{
	if (!s)
		return;
	tdestroy(s->tree, forget);
	mem_free(s->key);
	mem_free(s);
}
