/* SPDX-License-Identifier: MIT
 * list.h - lists through their members: a ring with a head, a link that is zero is in none. */
#ifndef LIST_H
#define LIST_H

#include <stddef.h>

struct link { struct link *prev, *next; };

#define LINKED(l, type, member) ((type *)((char *)(l) - offsetof(type, member)))

static inline void list_init(struct link *head)
{
	head->prev = head->next = head;
}

/* At the end; nothing where it is in a list already. */
static inline void list_add(struct link *head, struct link *l)
{
	if (l->next)
		return;
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_remove(struct link *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

/* All of one list, to the end of another. */
static inline void list_move(struct link *head, struct link *from)
{
	if (from->next == from)
		return;
	from->next->prev = head->prev;
	from->prev->next = head;
	head->prev->next = from->next;
	head->prev = from->prev;
	list_init(from);
}

#endif
