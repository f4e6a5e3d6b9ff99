/* SPDX-License-Identifier: MIT
 * shown.c - see shown.h. A list by number, swept when it has doubled, so that one more costs
 * the same however many are in force. */
#include "shown.h"

enum { NEWEST = 32 };

static struct shown *all;
static uint32_t count, room;

static bool is_new(uint32_t i)
{
	return i + NEWEST >= count;
}

static void drop(struct shown *s)
{
	mem_free(s->handlers);
	mem_free(s->origin);
}

static void sweep(shown_needed *needed)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (is_new(i) || needed(all[i].number))
			all[kept++] = all[i];
		else
			drop(&all[i]);
	}
	count = kept;
}

void shown_add(uint32_t number, const char *handlers, size_t len, const char *origin,
               shown_needed *needed)
{
	uint32_t i;

	if (count == room) {
		sweep(needed);
		room = 2 * (count + NEWEST);
		all = mem_resize(all, room * sizeof *all);
	}
	for (i = count; i && all[i - 1].number > number; i--)
		;
	if (i && all[i - 1].number == number)
		return;
	memmove(&all[i + 1], &all[i], (count++ - i) * sizeof *all);
	all[i] = (struct shown){ number, mem_string(len ? handlers : "", len),
	                         mem_string(origin, strlen(origin)) };
}

void shown_line(uint32_t number, const struct journal_line *l, shown_needed *needed)
{
	char *handlers = journal_text(l->fields, "handlers");
	char *origin = journal_text(l->fields, "origin");

	shown_add(number, handlers, handlers ? strlen(handlers) : 0, origin ? origin : "", needed);
	mem_free(handlers);
	mem_free(origin);
}

void shown_each(shown_needed *also, void (*each)(void *arg, const struct shown *s), void *arg)
{
	for (uint32_t i = 0; i < count; i++)
		if (is_new(i) || also(all[i].number))
			each(arg, &all[i]);
}

void shown_forget(void)
{
	for (uint32_t i = 0; i < count; i++)
		drop(&all[i]);
	mem_free(all);
	all = NULL;
	count = room = 0;
}
