/* SPDX-License-Identifier: MIT
 * cast.h - the actors that play in this node: those of the command line, then the shipped ones. */
#ifndef CAST_H
#define CAST_H

#include "actor.h"
#include "base.h"
#include "loop/loop.h"

struct shipped_actor { const char *name; const struct actor_type *type; };
extern const struct shipped_actor shipped_actors[];     /* made from actors/; ends with 0 */

struct cast {
	const char *topic;                              /* the name that rpc goes by */
	const char *const *actors; int actor_count;     /* ACTOR.c, ACTOR.so, DIR */
	/* One of them did not start: the node is not what it was meant to be. Any thread. */
	void (*failed)(void *arg, const char *reason); void *arg;
};
/* Main thread, after patch_start(): loads and starts them all. 0, or negative with why. */
int cast_start(const struct cast *c, struct why *why);
/* For core_on_first_start(): before core_start(), as it is looked at by any thread of core's. */
void cast_first_start(void *arg, const char *name, int rc);
/* Some of them are still inside their start, or before it. Main thread. */
bool cast_starting(void);
/* The actor that rpc passes a message on to, by this function of its, or whose own that function
 * is; 0: neither. Any thread. */
actor_ref cast_instead(handler *fn);
/* The same for one more, while the node runs; also one that was stopped, by its type's name. 0:
 * done(arg, rc, words) comes on the loop's thread. Negative with why: it does not. */
int cast_begin(const char *what, struct loop *l,
               void (*done)(void *arg, int rc, const char *text), void *arg, struct why *why);

#endif
