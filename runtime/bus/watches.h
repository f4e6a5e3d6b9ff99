/* SPDX-License-Identifier: MIT
 * watches.h - monitors between this node and another: who here watches an actor there, and who
 * there watches one here. The loop's thread. */
#ifndef WATCHES_H
#define WATCHES_H

#include "core.h"
#include "places.h"

/* Zero-initialised is none. ours: by the number that the other node knows them by; theirs: by the
 * number that it gave. */
struct watches {
	struct places ours, theirs;
	uint64_t life;          /* that theirs are of */
};

/* `who` monitors name there by its own number: the number to say there. */
uint64_t watches_begin(struct watches *w, actor_id who, int64_t number, const char *name);
/* It does no more: the same number; 0: it did not. */
uint64_t watches_end(struct watches *w, actor_id who, int64_t number);
void watches_down(struct watches *w, uint64_t number, const char *reason);
void watches_all_down(struct watches *w, const char *reason);

/* Of those there, owner's: self monitors `to` for them, and hears `down` with its own number,
 * by which `monitors` has them, too. Negative: there is no such actor. */
int watches_serve(struct watches *w, void *owner, actor *self, struct places *monitors,
                  uint64_t number, actor_ref to);
/* The one that self is told of by that number: its owner, and the number given there. NULL: none.
 */
void *watches_served(struct places *monitors, int64_t monitor, uint64_t *number);
void watches_cease(struct watches *w, uint64_t number); /* they watch it no more */
/* Their node speaks in this life: if it began anew, what was watched before is watched no more. */
void watches_life(struct watches *w, uint64_t life);

/* The core has stopped: frees all, and takes no monitor back. Before that, of all nodes. */
void watches_fini(struct watches *w);

/* A monitor that ended before it came here as a message: the last few. */
enum { EARLY_MOST = 32 };
struct early { struct { actor_id who; int64_t number; } end[EARLY_MOST]; unsigned next; };
void early_note(struct early *e, actor_id who, int64_t number);
bool early_take(struct early *e, actor_id who, int64_t number);

#endif
