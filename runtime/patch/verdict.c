/* SPDX-License-Identifier: MIT
 * verdict.c - what comes of patches on probation: confirmed, or taken back and quarantined.
 *
 * A quarantine is by the source's digest: it is a state of a patch in the history, and a source
 * that has the digest of such a patch is refused until somebody lifts it. What cannot be taken
 * back (a migration without a way back) stays in force, on probation no more, and is named in
 * the log. */
#include "verdict.h"

#include "listing.h"
#include "log.h"
#include "ports.h"

enum { TRIES = 10, AGAIN_MS = 1000 };

static void quarantined(uint32_t number, const struct probation_info *i, const char *reason)
{
	history_quarantine(number, reason);
	log_line(LOG_WARN, "patch",
		 "%u is taken back, %.1f ms after what went wrong first, and its source is in "
		 "quarantine (to send it again all the same: actorctl patch lift %u): %s",
		 number, (double)(now_ns() - i->first_ns) / 1e6, number, reason);
}

/* What stood in the way may be over soon: no memory, no process to compile what was before, one
 * that is still inside a handler. Meanwhile its messages wait. */
static bool later(struct watched *x, int rc, const char *reason, const struct why *why)
{
	if (rc == ACTOR_EFAIL || ++x->tries == TRIES)
		return false;
	x->again_ms = now_ms() + AGAIN_MS;
	log_line(LOG_WARN, "patch", "%u fails (%s), but cannot be taken back now, which is tried "
		 "again: %s", x->number, reason, why->text);
	return true;
}

/* reason: i's, which ends with the probation. NULL: it is tried again. */
static const char *failed(struct watched *x, const struct probation_info *i, const char *reason)
{
	uint32_t number = x->number;
	struct why why;
	int rc = now_ms() < x->again_ms ? 1 : revert_by_itself(number, x->p, &why);

	if (!rc) {
		quarantined(number, i, reason);
		return "quarantined";
	}
	if (rc > 0 || later(x, rc, reason, &why))
		return NULL;
	history_failed(number, reason);
	log_line(LOG_ERROR, "patch", "%u fails (%s), but stays in force: %s", number, reason,
		 why.text);
	probation_end(x->p, false);
	return history_word(number);
}

static const char *passed(struct watched *x)
{
	history_confirmed(x->number);
	log_line(LOG_INFO, "patch", "%u is confirmed", x->number);
	probation_end(x->p, false);
	return history_word(x->number);
}

/* NULL: it stays on probation. */
static const char *look_at(struct watched *x, struct why *reason)
{
	enum patch_state state = history_state(x->number);
	struct probation_info info, *i = &info;

	probation_at(x->p, i);
	if (state != PATCH_APPLIED || !strcmp(history_word(x->number), "superseded")) {
		probation_end(x->p, state != PATCH_APPLIED);
		history_tried(x->number, false);
		return history_word(x->number);
	}
	if (i->word == PROBATION_RUNS && !i->left_ms) {
		probation_pass(x->p);
		probation_at(x->p, i);
	}
	if (i->word == PROBATION_FAILED) {
		why_set(reason, 0, "%s", i->reason);    /* ends with the probation */
		return failed(x, i, reason->text);
	}
	return i->word == PROBATION_PASSED ? passed(x) : NULL;
}

void verdict_look(verdict_fn *told)
{
	for (uint32_t n = watched_count(); n--;) {
		struct watched x = *watched_at(n);
		struct why reason = { "" };
		const char *word = look_at(&x, &reason);

		if (!word) {
			*watched_at(n) = x;
			continue;
		}
		watched_remove(n);
		told(x.number, word, reason.text);
	}
}

static int64_t until_ms(int64_t ms)
{
	return ms > now_ms() ? ms - now_ms() : 0;
}

int64_t verdict_next_ms(void)
{
	int64_t next = -1;

	for (uint32_t n = 0; n < watched_count(); n++) {
		struct probation_info i;

		probation_at(watched_at(n)->p, &i);
		if (watched_at(n)->again_ms)
			i.left_ms = until_ms(watched_at(n)->again_ms);
		if (next < 0 || i.left_ms < next)
			next = i.left_ms;
	}
	return next;
}

void verdict_close(void)
{
	while (watched_count()) {
		probation_end(watched_at(0)->p, false);
		watched_remove(0);
	}
}

int verdict_lift(uint32_t number, const struct patch_source *who, struct why *why)
{
	if (history_known(number, why) < 0)
		return ACTOR_ENOENT;
	if (history_state(number) != PATCH_QUARANTINED)
		return why_set(why, ACTOR_EFAIL, "patch %u is not in quarantine, it is %s; "
			"`actorctl "
			       "patch list` shows those that are", number, history_word(number));
	return history_lift(number, who->author, who->origin, why);
}

int verdict_allows(const char *source, size_t len, struct why *why)
{
	uint32_t number = history_quarantined(source, len);
	struct buf reason = { 0 };

	if (!number)
		return 0;
	listing_reason(number, &reason);
	why_set(why, ACTOR_EARGS,
		"this very source is in quarantine since it was taken back as patch %u (%.*s): "
		"mend it, or lift that with `actorctl patch lift %u`",
		number, (int)reason.len, reason.len ? reason.p : "", number);
	buf_fini(&reason);
	return ACTOR_EARGS;
}
