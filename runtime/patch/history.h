/* SPDX-License-Identifier: MIT
 * history.h - the patches there have been: their numbers, what became of each, and the journal that
 * says so after a restart.
 *
 * The compile thread changes what is here; any thread may look. */
#ifndef HISTORY_H
#define HISTORY_H

#include "exported.h"
#include "kept.h"
#include "seal.h"

enum patch_state {
	PATCH_NONE,             /* no patch of that number */
	PATCH_INTENT,           /* about to come in force */
	PATCH_APPLIED,          /* in force or, when no handler is its own any more, superseded */
	PATCH_RAN,              /* it had no table, only a process */
	PATCH_REVERTED,
	PATCH_REFUSED,          /* at the last moment: an actor's state could not be moved */
	/* made for another build of a type: not brought back by this start */
	PATCH_STALE,
	PATCH_SUSPECT,          /* the runtime ended by it, or while it came in force: left out */
	PATCH_QUARANTINED,      /* it was taken back by itself, and is not taken again */
};

/* What each handler of a patch came with before: a number, 0 for the type's own, -1 for none. */
struct before { int64_t *was; size_t n; };

/* Reads the journal of that folder; a patch that the runtime ended by, or while it came in force,
 * is left out from now on. 0, or negative with why. */
int  history_open(const char *folder, struct why *why);
void history_close(void);

/* Numbers the patch and writes what is about to be done; fills b. The number, or negative with
 * why. */
int64_t history_intent(const struct patch_source *s, const struct exported *e, struct before *b,
                       struct why *why);
/* Its tables are in force. Takes b. */
void history_laid(uint32_t number, struct before *b);
/* All of it is done, its process too; failed: what that returned, in words, or NULL. Also of one
 * that was to be reverted, and could not. */
void history_done(uint32_t number, bool table, const char *failed);
/* The same for one brought back, from the journal's side: what its handlers came with before. */
void history_before(const struct exported *e, struct before *b);

/* Gives, to kept_free(). */
int  history_read(uint32_t number, struct patch_kept *k, struct why *why);
enum patch_state history_state(uint32_t number);
int  history_known(uint32_t number, struct why *why);   /* 0, or ACTOR_ENOENT with why */
uint32_t history_last(void);
const char *history_word(uint32_t number);      /* "in force", "superseded", ... */
int64_t history_place(uint32_t number);         /* of its intent, for journal_line_at() */

/* After its intent: nothing of it came in force. */
void history_refused(uint32_t number, const char *reason);

/* About to be taken back. 0, or negative with why: it cannot be written, so it stays. */
int  history_reverting(uint32_t number, const char *author, const char *origin, struct why *why);
void history_reverted(uint32_t number, const struct before *now);
void history_stale(uint32_t number, const char *reason);
/* On probation; over, and well; over, and it stays although it failed; taken back by itself. */
void history_tried(uint32_t number, bool now);  /* false: over before anything was decided */
void history_confirmed(uint32_t number);
bool history_is_confirmed(uint32_t number);
void history_failed(uint32_t number, const char *reason);
void history_quarantine(uint32_t number, const char *reason);
/* The newest patch in quarantine that is this source; 0: there is none. */
uint32_t history_quarantined(const char *source, size_t len);
int  history_lift(uint32_t number, const char *author, const char *origin, struct why *why);
int  history_again(uint32_t number, struct why *why);   /* a process is about to run again */

/* The newest few and all that are in force: from memory. */
struct patch_info {
	uint32_t number;
	/* "probation", "confirmed", "in force" (never on probation), "superseded", "ran",
	 * "reverted", "refused", "quarantined", "stale", "suspect" */
	const char *state;
	bool in_force;                  /* a handler is its own */
	const char *handlers, *origin;
	const unsigned char *digest;    /* the first 8 bytes of its source's */
};
void history_each(void (*each)(void *arg, const struct patch_info *p), void *arg);

/* Each patch that is not taken back and has a table, in the order of their numbers, as far as
 * the journal goes. */
typedef void history_fn(void *arg, uint32_t number, struct packed on);
int  history_applied(history_fn *each, void *arg, struct why *why);

#endif
