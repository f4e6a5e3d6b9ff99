/* SPDX-License-Identifier: MIT
 * kit.h - a system of actors in one thread, from a seed: for tests of actors, and of the core
 * itself.
 *
 * It is the production core (core_start() without workers); the clock, the random numbers and
 * whose turn it is come from the seed. The same seed gives the same trace, and the trace has a
 * hash. What is wrong ends the process with a line that says what, and with the command that
 * replays it.
 *
 *   kit_begin(7);
 *   kit_spawn(&counter, "counter");
 *   kit_expect("counter", "hit", 2);
 *   kit_send("counter", "hit", 1, "ann");
 *   kit_send("counter", "hit", 1, "ben");
 *   kit_run();
 *   kit_end();
 *
 * tests/seed/test_counter.c is an example. Where actord is installed:
 *   cc test_counter.c counter.c $(pkg-config --cflags --libs actord-kit) && ./a.out
 *
 * One system at a time, one thread. SEED=n chooses a seed (kit_seeds), TRACE=1 shows what
 * passes. */
#ifndef KIT_H
#define KIT_H

#include <stdbool.h>

#include "actor.h"

void kit_begin(uint64_t seed);
/* Ends all actors, youngest first. What was expected must have come, and each message that was
 * sent must have been handled or counted as a dead letter. Gives the trace's hash. */
uint64_t kit_end(void);
/* Runs fn for the seeds 1 to n (SEEDS: for so many; SEED: for that one alone, twice), and the
 * first again at the end: the hashes must be the same. Their number. fn calls kit_begin(seed) and
 * gives what kit_end() gave. */
unsigned kit_seeds(unsigned n, uint64_t (*fn)(uint64_t seed));
void kit_failed(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint32_t kit_random(uint32_t below);    /* from the seed */
int64_t  kit_now(void);                 /* virtual ms; every system begins at 0 */

/* --- actors ------------------------------------------------------------------------------ */
/* Its start is its first turn. 0: refused (a name taken, an allocation that was to fail). */
actor_ref kit_spawn(const struct actor_type *t, const char *name);
void kit_type(const struct actor_type *t);      /* its name is known, for actor_spawn() */
void kit_kill(const char *name);        /* ends at its next turn, before all in its mailbox */
/* The handlers given come into force for all actors of that type, between two messages; until
 * kit_end(). */
void kit_patch(const struct actor_type *t, const struct actor_handler *on);

/* --- messages ---------------------------------------------------------------------------- */
#define kit_send(name, what, ...) actor_send(NULL, actor_find(name), what, ##__VA_ARGS__)
/* Messages without values, until the mailbox takes no more: how many it took. */
unsigned kit_fill(const char *name, const char *what);

/* One turn of a ready actor, chosen by the seed. False: none is ready. */
bool kit_step(void);
bool kit_pass(const char *name);        /* one turn of this one. False: it is not ready */
void kit_run(void);                     /* turns until nobody is ready; time stands still */
void kit_run_for(int ms);               /* the same while time passes: timers, late asks */
void kit_one_by_one(bool on);           /* a turn has one message; else the seed says */

/* --- what is to pass --------------------------------------------------------------------- */
/* NULL stands for any. What is said last counts. A message passes when its handler is called. */
void kit_expect(const char *who, const char *what, unsigned times);     /* from now to the end */
void kit_forbid(const char *who, const char *what);
void kit_allow(const char *who, const char *what);
unsigned kit_passed(const char *who, const char *what);    /* so far */

/* --- memory ------------------------------------------------------------------------------ */
/* The nth from now of those allocations that can fail (a birth, an actor's large state, a large
 * message) fails; 0: none. Small memory cannot: without any the process ends, see base.h. */
void     kit_fail_alloc(unsigned n);
unsigned kit_allocs(void);              /* such allocations so far */

#endif
