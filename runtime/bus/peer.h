/* SPDX-License-Identifier: MIT
 * peer.h - another node, as seen from this one: what is sent to actors there, and what is asked.
 * The loop's thread. */
#ifndef PEER_H
#define PEER_H

#include "frame.h"
#include "loop.h"
#include "ports.h"

struct early;
struct peer_config {
	struct loop *loop;
	const struct redis_port *port;          /* borrowed */
	/* who we are, and in which of our lives; borrowed */
	const char *node; uint64_t life;
	void (*gate)(void *arg);                /* a peer takes messages again, or no more */
	void *arg;
	void (*going)(void *arg);               /* a frame goes with this turn of the loop */
	void *going_arg;
	struct early *early;            /* (watches.h) */
	bool busy;              /* of what was read lately, some is being handled: peers_busy() */
	bool came;              /* something was read since the last frame went */
};
struct peer_info { uint64_t sent, frames, refused; unsigned waiting; size_t bytes; };

struct peer;
/* Makes the proxy that stands for all actors of that node. c is borrowed. */
struct peer *peer_new(struct peer_config *c, const char *name, struct why *why);
void         peer_free(struct peer *p); /* when the core has stopped */
const char  *peer_name(const struct peer *p);
actor_id     peer_proxy(const struct peer *p);
bool         peer_open(const struct peer *p);   /* it takes messages now */
void         peer_info(const struct peer *p, struct peer_info *out);

/* It is there, in this life; another one than before: what was asked of that is refused. */
void peer_here(struct peer *p, uint64_t life);
/* It is not: questions are refused, who watches is told. What was sent still goes to its inbox. */
void peer_gone(struct peer *p, const char *reason);
void peer_up(struct peer *p);           /* Redis is there (again) */
void peer_settled(struct peer *p);      /* all that was read is handled: more does not come of it */

/* m, which self is handling: to:str what:str, then the values. client: a client has called that. */
int  peer_take(struct peer *p, actor *self, const msg *m, bool client);

/* m, which a proxy that stands for that user there is handling: to its sessions there. */
int  peer_push(struct peer *p, const msg *m, const char *user);

/* A frame came, of that life, which peer_here() may not know yet: what an earlier one watched
 * here is watched no more. Before what is in the frame. */
void peer_speaks(struct peer *p, uint64_t life);
uint64_t peer_speaking(const struct peer *p);    /* that life */
/* What came from it. The actor that an ask is asked by hears `answered`, and calls
 * peer_answered() with the same table. */
struct places;
/* ANSWER, REFUSAL, DOWN. Who was given an answer, or 0. */
actor_id peer_came(struct peer *p, const struct part *part);
/* An ASK is asked here, of to, in the name of self. Negative with why: it is not, and the asker has
 * not been told. */
int  peer_ask(struct peer *p, actor *self, actor_ref to, struct places *served,
              const struct part *part, struct why *why);
/* It is told. m: what self is handling, or NULL. */
void peer_refuse(struct peer *p, const msg *m, uint64_t number, int code, const char *text);
void peer_answered(struct places *served, const msg *m);
/* WATCH, UNWATCH: self monitors for it, and tells what `down` says: number name reason. */
void peer_watch(struct peer *p, actor *self, struct places *monitors, const struct part *part);
void peer_tell_down(struct places *monitors, const msg *m);
/* who here, by its monitor of that number. False: it watches nobody there by that. */
bool peer_unwatch(struct peer *p, actor_id who, int64_t number);
/* That actor of ours takes no more of what it sends, or does again. The former is said each second,
 * so while Redis takes nothing, or nobody is there, it is left out. */
void peer_tell_room(struct peer *p, const char *name, bool room);
/* The peer's own actor and its tables. */
actor *peer_actor(const struct peer *p);
struct places *peer_served(struct peer *p);

#endif
