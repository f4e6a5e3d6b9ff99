/* SPDX-License-Identifier: MIT
 * posts.c - see posts.h. A list under a lock, taken whole: what is posted meanwhile is for the next
 * time. Wakes nobody. */
#include "posts.h"

struct post { struct post *next; void (*fn)(void *arg); void *arg; };

static struct post *take(struct posts *s)
{
	struct post *p;

	pthread_mutex_lock(&s->lock);
	p = s->first;
	s->first = NULL;
	s->last = &s->first;
	pthread_mutex_unlock(&s->lock);
	return p;
}

static void each(struct posts *s, bool run)
{
	struct post *p = take(s), *next;

	for (; p; p = next) {
		next = p->next;
		if (run)
			p->fn(p->arg);
		mem_free(p);
	}
}

void posts_init(struct posts *s)
{
	pthread_mutex_init(&s->lock, NULL);
	s->first = NULL;
	s->last = &s->first;
}

void posts_fini(struct posts *s)
{
	each(s, false);
	pthread_mutex_destroy(&s->lock);
}

bool posts_add(struct posts *s, void (*fn)(void *arg), void *arg)
{
	struct post *p = mem_alloc(sizeof *p);
	bool first;

	p->fn = fn;
	p->arg = arg;
	pthread_mutex_lock(&s->lock);
	first = !s->first;
	*s->last = p;
	s->last = &p->next;
	pthread_mutex_unlock(&s->lock);
	return first;
}

void posts_run(struct posts *s)
{
	each(s, true);
}
