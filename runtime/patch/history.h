/* SPDX-License-Identifier: MIT
 * history.h - the patches there have been: their numbers, what became of each, and the journal
 * that says
 * so after a restart.
 *
 * The compile thread changes what is here (and, for a patch with a process, the actor that ran
 * it, by
 * history_done()); any thread may look. */
#ifndef HISTORY_H
#define HISTORY_H

#include "digest.h"
#include "exported.h"

/* What a patch is made of. Borrowed. */
struct patch_source {
	const char *text; size_t len;
	const char *file, *author, *note, *origin;
	const char *topic, *handler, *function;         /* of an eval; else NULL */
};

enum patch_state {
	PATCH_NONE,             /* no patch of that number */
	PATCH_INTENT,           /* about to come in force */
	PATCH_APPLIED,          /* in force or, when no handler is its own any more, superseded */
	PATCH_RAN,              /* it had no table, only a process */
	PATCH_REVERTED,
	/* made for another build of a type: not brought back by this start */
	PATCH_STALE,
	PATCH_SUSPECT,          /* the runtime ended while it came in force: not brought back */
};

/* What each handler of a patch came with before: a number, 0 for the type's own, -1 for none. */
struct before { int64_t *was; size_t n; };

int  history_open(const char *folder, struct why *why);
void history_close(void);

/* Numbers the patch and writes what is about to be done; fills b. The number, or negative with
 * why. */
int64_t history_intent(const struct patch_source *s, const struct exported *e, struct before *b,
                       struct why *why);
/* Its tables are in force. Takes b. */
void history_laid(uint32_t number, struct before *b);
/* All of it is done, its process too; failed: what that returned, in words, or NULL. */
void history_done(uint32_t number, bool table, const char *failed);
/* The same for one brought back, from the journal's side: what its handlers came with before. */
void history_before(const struct exported *e, struct before *b);

/* A patch as the journal has it. */
struct patch_kept {
	struct patch_source source;
	bool migrates;
	struct packed on;               /* list of maps: type, build, on: list of [handler, was] */
	struct buf own;
};
int  history_read(uint32_t number, struct patch_kept *k, struct why *why);
void history_kept_free(struct patch_kept *k);
enum patch_state history_state(uint32_t number);
uint32_t history_last(void);
const char *history_word(uint32_t number);      /* "in force", "superseded", ... */
int64_t history_place(uint32_t number);         /* of its intent, for journal_line_at() */

int  history_reverting(uint32_t number, const char *author, const char *origin, struct why *why);
void history_reverted(uint32_t number, const struct before *now);
void history_stale(uint32_t number, const char *reason);
int  history_again(uint32_t number, struct why *why);   /* a process is about to run again */

/* The newest few, for `inspect`: from memory. */
struct patch_info {
	uint32_t number;
	/* "in force", "superseded", "ran", "reverted", "stale", "suspect" */
	const char *state;
	const char *handlers, *origin;
};
void history_each(void (*each)(void *arg, const struct patch_info *p), void *arg);

/* Each patch that is not taken back and has a table, in the order of their numbers, as far as
 * the journal goes. */
typedef void history_fn(void *arg, uint32_t number, bool migrates, struct packed on);
int  history_applied(history_fn *each, void *arg, struct why *why);

#endif
