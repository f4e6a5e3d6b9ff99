/* SPDX-License-Identifier: MIT
 * full.c - a mailbox that is full.
 *
 * Under overload most of what is sent is refused or dropped, by threads that share the processors
 * with those that handle the rest: so that has to be the cheapest thing there is. What would find
 * no room is not made (full_spares), takes no lock and writes nothing that others read but its
 * thread's own counter; what waits in the mailbox is not touched. */
#include "full.h"

#include "draft.h"
#include "hold.h"
#include "kin.h"
#include "letters.h"

static int refuse(struct worker *w, const struct actor *a)
{
	COUNT_UP(&w->refused, 1);
	return worker_vain(w, kin_refused(a, ACTOR_EFULL));
}

int full_keep(struct worker *w, struct actor *a, struct msg *m)
{
	const struct type *type = cell_type(a);
	struct actor *self = LOAD(&w->actor);

	if (w->in_handler && self && type->full == FULL_HOLD && !cell_type(self)->native &&
	    (w->hold_on == a || hold_begin(w, self, a)) && hold_keep(w, m) == 0)
		return 0;
	if (type->full == FULL_DROP_NEWEST || type->full == FULL_DROP_OLDEST) {
		COUNT_UP(&w->sent, 1);
		post_dead(w, a, m, "the mailbox is full, its type drops");
		message_free(&w->pool, m);
		return 0;
	}
	message_free(&w->pool, m);
	return refuse(w, a);
}

/* Where the type drops the oldest there is room for twice as much: the owner drops when it takes
 * them. */
static bool may_overfill(const struct actor *a, uint64_t h, uint64_t weight)
{
	return cell_type(a)->full == FULL_DROP_OLDEST &&
	       HEAD_COUNT(h) < 2 * LOAD(&a->max_count) &&
	       HEAD_UNITS(h) + HEAD_UNITS(weight) <= 2 * LOAD(&a->max_units);
}

int full_push(struct worker *w, struct actor *a, struct msg *m)
{
	uint64_t weight = HEAD_WEIGHT(msg_units(m));
	enum push said = !may_overfill(a, LOAD(&a->head), weight) ? PUSH_FULL
			 : cell_push(a, msg_index(m), m, weight, ROOM_PROMISED);

	if (said < PUSH_FULL)
		return post_pushed(w, a, said);
	if (said == PUSH_FULL)
		return full_keep(w, a, m);
	message_free(&w->pool, m);
	return worker_vain(w, kin_refused(a, ACTOR_ENOENT));
}

bool full_spares(struct worker *w, struct actor *a, size_t size, bool asked, int *rc)
{
	uint64_t h = LOAD(&a->head), weight = HEAD_WEIGHT(message_units(size));
	enum actor_full full = cell_type(a)->full;

	if (likely(cell_room(a, h, weight)) || HEAD_TOP(h) == TOP_DEAD || size > MESSAGE_MAX)
		return false;
	/* A trace tells of it; a draft may yet be undone; a sender may be held. */
	if (w->in_handler & ~IN_HANDLER || draft_is_open(w) || (full == FULL_HOLD && w->in_handler))
		return false;
	if (full == FULL_REFUSE || full == FULL_HOLD) {
		*rc = refuse(w, a);
		return true;
	}
	if (asked || may_overfill(a, h, weight) || !letters_flood())
		return false;
	COUNT_UP(&w->sent, 1);
	COUNT_UP(&w->dead, 1);
	*rc = 0;
	return true;
}

int full_why(struct actor *a, const char *who, struct why *why)
{
	const struct type *type = cell_type(a);
	const char *shut = type->shut ? type->shut(a) : NULL;
	uint64_t h = LOAD(&a->head);

	if (shut)
		return why_set(why, ACTOR_EFULL, "%s: %s: try again later", who, shut);
	if (!HEAD_COUNT(h))
		return why_set(why, ACTOR_EFULL, "%s: the mailbox was full: try again", who);
	return why_set(why, ACTOR_EFULL,
		       "%s: the mailbox is full (%u messages, %u bytes): try again later", who,
		       HEAD_COUNT(h), HEAD_UNITS(h) * (unsigned)sizeof(struct msg));
}
