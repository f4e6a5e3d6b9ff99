/* SPDX-License-Identifier: MIT
 * mode.c - become, stash. The owner's alone. */
#include "mode.h"

#include <stdio.h>

const struct entry *mode_entry(const struct actor *a, const struct table *tab,
                               const struct entry *e)
{
	char name[NAME_MAX_LEN + 1];
	int len, fn;

	if (!a->pending || !a->pending->mode)
		return e;
	len = snprintf(name, sizeof name, "%s.%s", a->pending->mode, e->name);
	fn = len < (int)sizeof name ? table_find(tab, name, (size_t)len) : -1;
	return fn < 0 ? e : &tab->entry[fn];
}

static bool has_mode(const struct table *tab, const char *mode)
{
	size_t len = strlen(mode);

	for (uint32_t i = 0; i < tab->n; i++)
		if (!strncmp(tab->entry[i].name, mode, len) && tab->entry[i].name[len] == '.')
			return true;
	return false;
}

int actor_become(actor *self, const char *mode)
{
	struct pending *p = ask_pending(self);
	struct name *name;

	if (!mode || !*mode) {
		p->mode = NULL;
		STORE(&self->started, STARTED);
		return 0;
	}
	if (!has_mode(type_table(cell_type(self)), mode))
		return ACTOR_ENOENT;
	name = name_of(mode, strlen(mode));
	if (!name)
		return ACTOR_ENOMEM;
	p->mode = name_text(name);
	STORE(&self->started, STARTED | HAS_BECOME);
	return 0;
}

int actor_stash(actor *self, const msg *m)
{
	struct pending *p = ask_pending(self);
	struct worker *w = worker_self;
	uint32_t units = msg_units(m);
	struct msg *copy;

	if (m->flags & MSG_ANSWER)
		return ACTOR_EARGS;
	if (p->stash_n >= LOAD(&self->max_count) ||
	    (p->stash_n && p->stash_units + units > LOAD(&self->max_units)))
		return ACTOR_EFULL;
	copy = message_copy(&w->pool, m);
	if (!copy)
		return ACTOR_ENOMEM;
	copy->next = 0;
	((struct msg *)(uintptr_t)m)->corr = 0;         /* whoever waits, waits for the copy */
	if (p->stash_n++)
		msg_at(p->stash_last)->next = msg_index(copy);
	else
		p->stash_first = msg_index(copy);
	p->stash_last = msg_index(copy);
	p->stash_units += units;
	COUNT_UP(&w->sent, 1);
	return 0;
}

/* By the lane that overtakes: they are the next ones to be handled, in the order they came. */
int actor_unstash(actor *self)
{
	struct pending *p = ask_pending(self);
	uint32_t i = p->stash_first;
	int n = (int)p->stash_n;

	while (i) {
		uint32_t next = msg_at(i)->next;

		cell_overtake(self, msg_at(i));
		i = next;
	}
	p->stash_first = p->stash_last = p->stash_n = p->stash_units = 0;
	return n;
}
