/* SPDX-License-Identifier: MIT
 * senders.c - see senders.h.
 *
 * A sender writes a frame again, with the same sequence, when it cannot know whether Redis has it.
 * A sequence that is too high comes of frames that Redis lost, or of a forger: it is to be handled,
 * but counts for real only when the next one follows it, so that a forged one makes no real one a
 * double.
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

static bool is_earlier(const struct sender *s, uint64_t life)
{
	for (unsigned i = 0; i < SENDER_LIVES && i < s->lives; i++)
		if (s->earlier[i] == life)
			return life != s->life;
	return false;
}

enum sender_said sender_frame(struct sender *s, uint64_t life, uint64_t sequence, bool reread)
{
	if (reread && is_earlier(s, life))
		return SENDER_SEEN;
	if (s->life != life || !s->last) {
		if (s->last)
			s->earlier[s->lives++ % SENDER_LIVES] = s->life;
		s->life = life;
		s->last = sequence;
		s->gap = 0;
		return SENDER_NEXT;
	}
	if (sequence <= s->last || sequence == s->gap)
		return SENDER_SEEN;
	if (sequence != s->last + 1 && (!s->gap || sequence != s->gap + 1)) {
		s->gap = sequence;
		return SENDER_GAP;
	}
	s->last = sequence;
	s->gap = 0;
	return SENDER_NEXT;
}
