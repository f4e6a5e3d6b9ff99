/* SPDX-License-Identifier: MIT
 * lane.h - one connection to a Redis: commands, and their replies in turn. The loop's thread. */
#ifndef LANE_H
#define LANE_H

#include "loop.h"
#include "ports.h"
#include "tls.h"

/* Never from inside a call of lane.h but lane_read(). */
struct lane_events {
	void (*lost)(void *arg, const char *reason);    /* lane_drop() is to follow, later */
	void (*pushed)(void *arg, const struct redis_reply *r);         /* of lane_subscribe() */
};

struct lane;
/* arg: of events, which is borrowed. */
struct lane *lane_new(struct loop *l, const struct lane_events *events, void *arg);
void lane_free(struct lane *l);         /* drops it */
struct lane_to {
	const char *address; int port;  /* NULL: the socket at path */
	const char *path;
	const struct tls *tls;          /* NULL: not encrypted; else for that host */
	const char *host;
};
/* Begins to connect. Commands may follow at once. ACTOR_EFAIL with why. */
int  lane_join(struct lane *l, const struct lane_to *to, struct why *why);
/* Ends the connection, if there is one; what waits is answered with REDIS_GONE. */
void lane_drop(struct lane *l);
/* As a redis_port's command: fn gets a reply that lives until the next one of this lane. What is
 * said in one turn of the loop goes with one write, at its end. ACTOR_EFAIL: not connected. */
int  lane_command(struct lane *l, redis_fn *fn, void *arg, int argc, const char **argv,
                  const size_t *len);
/* The same, for a reply that nobody waits for: while the lane rests, it stays in the socket. */
int  lane_later(struct lane *l, redis_fn *fn, void *arg, int argc, const char **argv,
                const size_t *len);
/* Begins a rest, unless somebody waits for a reply; it ends with the next lane_command(), with
 * lane_wake() (somebody waits for all that was said), and by itself after some ms. */
void lane_rest(struct lane *l);
void lane_wake(struct lane *l);
/* Reads what has come while it rests. It rests on. */
void lane_catch_up(struct lane *l);
/* One whose replies, and all that comes of it, go to pushed(). */
void lane_subscribe(struct lane *l, int argc, const char **argv, const size_t *len);
/* Reads what the socket holds now, and hands it on. False: it ends in the middle of a reply. */
bool lane_read(struct lane *l);
bool lane_waits(const struct lane *l);  /* for a reply, but of lane_subscribe() */
int64_t lane_heard_ms(const struct lane *l);    /* the last reply; or the first command after */
void lane_expect(struct lane *l);       /* from now on a reply is due: heard_ms begins */
size_t lane_unsent(const struct lane *l);       /* bytes that wait for the socket */

#endif
