/* SPDX-License-Identifier: MIT
 * senders.c - see senders.h.
 *
 * A sender writes a frame again, with the same sequence, when it cannot know whether Redis has it.
 * A sequence that is too high comes of frames that Redis lost, after it had said that it has them,
 * or of a forger. Nobody here can have them back: what was lost is told, and what came is handled,
 * as are those that follow it. But those before it are still waited for, as they are real if it
 * was forged, and count for doubles only when SENDER_TRUSTED have followed it.
 *
 * A Redis that took another's place may have frames which the other one was told are handled, also
 * of a sender's earlier lives. All of those came before the first of its next life, so where a
 * stream is read once more they have been seen; elsewhere nobody's frames are dropped for a life
 * that somebody else may have forged. */
#include "senders.h"

#include <search.h>

struct senders { void *tree; struct sender *first; };

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sender *)a)->name, ((const struct sender *)b)->name);
}

struct senders *senders_new(void)
{
	return mem_alloc(sizeof(struct senders));
}

static void sender_free(void *at)
{
	struct sender *s = at;

	mem_free(s->name);
	mem_free(s);
}

void senders_free(struct senders *s)
{
	if (!s)
		return;
	tdestroy(s->tree, sender_free);
	mem_free(s);
}

struct sender *sender_of(struct senders *all, const char *name)
{
	const struct sender key = { .name = (char *)(uintptr_t)name };
	struct sender **at = tfind(&key, &all->tree, by_name), *s;

	if (at)
		return *at;
	s = mem_alloc(sizeof *s);
	s->name = mem_string(name, strlen(name));
	s->next = all->first;
	all->first = s;
	tsearch(s, &all->tree, by_name);
	return s;
}

struct sender *senders_first(const struct senders *s)
{
	return s->first;
}

/* Where that life is in `other`; SENDER_LIVES: it is not. */
static unsigned place_of(const struct sender *s, uint64_t life)
{
	unsigned i = 0, n = s->others < SENDER_LIVES ? s->others : SENDER_LIVES;

	while (i < n && s->other[i].life != life)
		i++;
	return i < n ? i : SENDER_LIVES;
}

/* Its life is another one from now on; 1 is the first sequence of each. */
static void turn_to(struct sender *s, uint64_t life)
{
	unsigned back = place_of(s, life), here = place_of(s, s->life);
	uint64_t last = back < SENDER_LIVES ? s->other[back].last : 0;

	if (here == SENDER_LIVES)
		here = s->others++ % SENDER_LIVES;
	s->other[here].life = s->life;
	s->other[here].last = s->last;
	s->life = life;
	s->last = last;
	s->early = s->early_to = 0;
}

static enum sender_said early(struct sender *s, uint64_t sequence)
{
	if (!s->early || sequence != s->early_to + 1) {
		s->early = s->early_to = sequence;
		return SENDER_GAP;
	}
	s->early_to = sequence;
	if (sequence - s->early + 1 >= SENDER_TRUSTED) {
		s->last = sequence;
		s->early = s->early_to = 0;
	}
	return SENDER_NEXT;
}

/* What is missing before it was handled by an earlier life of ours. */
static bool is_behind_hole(const struct sender *s, uint64_t sequence)
{
	return s->life == s->gone_life && sequence > s->last && sequence - 1 <= s->gone_last;
}

static enum sender_said look_at(struct sender *s, uint64_t life, uint64_t sequence, bool reread)
{
	if (reread && life != s->life && place_of(s, life) < SENDER_LIVES)
		return SENDER_SEEN;
	if (s->life != life)
		turn_to(s, life);
	if (sequence == s->last + 1 || is_behind_hole(s, sequence)) {
		s->last = sequence;
		return SENDER_NEXT;
	}
	if (sequence <= s->last || (sequence >= s->early && sequence <= s->early_to))
		return SENDER_SEEN;
	return early(s, sequence);
}

enum sender_said sender_frame(struct sender *s, uint64_t life, uint64_t sequence, bool reread)
{
	enum sender_said said = look_at(s, life, sequence, reread);

	if (said != SENDER_SEEN)
		s->read = sequence;
	return said;
}
