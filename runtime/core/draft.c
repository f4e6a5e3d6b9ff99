/* SPDX-License-Identifier: MIT
 * draft.c - a list of items, a copy of a state. */
#include "draft.h"

enum { LOOK_BACK = 64, KEPT = 1024 };

struct draft {
	struct draft_item *item;
	uint32_t n, room;
	uint64_t units;
	unsigned char *state;
	size_t size, state_room;        /* of a state that can be kept, else 0 */
	bool touched;
};

static _Thread_local struct draft *open;

void draft_begin(struct worker *w, struct draft **d, size_t size, bool keep)
{
	if (!*d)
		*d = mem_alloc(sizeof **d);
	open = *d;
	open->size = keep ? size : 0;
	open->touched = false;
	if (open->size > open->state_room) {
		open->state = mem_resize(open->state, size);
		open->state_room = size;
	}
	w->box.top = DRAFT_OPEN;
}

void draft_state(const void *state)
{
	if (open->size && !open->touched)
		memcpy(open->state, state, open->size);
	open->touched = true;
}

bool draft_is_lossy(void)
{
	return open->touched && !open->size;
}

struct draft_item *draft_add(draft_fn *leave, draft_fn *undo)
{
	struct draft_item *i;

	if (open->n == open->room) {
		open->room = open->room ? 2 * open->room : 16;
		open->item = mem_resize(open->item, open->room * sizeof *open->item);
	}
	i = &open->item[open->n++];
	*i = (struct draft_item){ .leave = leave, .undo = undo };
	return i;
}

static void free_message(struct worker *w, struct actor *self, struct draft_item *i)
{
	(void)self;
	message_free(&w->pool, i->m);
}

/* What is sent to one actor among messages to many others may come to more than it has room for. */
uint64_t draft_weight(const struct actor *to)
{
	uint32_t end = open->n > LOOK_BACK ? open->n - LOOK_BACK : 0;

	for (uint32_t i = open->n; i-- > end;)
		if (open->item[i].to == to)
			return open->item[i].weight;
	return 0;
}

void draft_message(draft_fn *leave, struct actor *to, struct msg *m)
{
	uint64_t weight = draft_weight(to) + HEAD_WEIGHT(msg_units(m));
	struct draft_item *i = draft_add(leave, free_message);

	i->to = to;
	i->m = m;
	i->weight = weight;
	open->units += msg_units(m);
}

bool draft_full(void)
{
	return open->n >= DRAFT_ITEMS || open->units >= DRAFT_UNITS;
}

bool draft_has(draft_fn *leave, int64_t number)
{
	for (uint32_t i = 0; i < open->n; i++)
		if (open->item[i].leave == leave && open->item[i].number == number)
			return true;
	return false;
}

static void empty(struct draft *d)
{
	d->n = 0;
	d->units = 0;
	if (d->room <= KEPT)
		return;
	mem_free(d->item);
	d->item = NULL;
	d->room = 0;
}

void draft_leave(struct worker *w, struct actor *self)
{
	w->box.top = 0;
	for (uint32_t i = 0; i < open->n; i++) {
		struct draft_item *x = &open->item[i];

		if (x->leave)
			x->leave(w, self, x);
		mem_free(x->kept);
	}
	empty(open);
}

/* To undo something may mean to send an order, which is an item to be undone, too. */
void draft_undo(struct worker *w, struct actor *self, void *state)
{
	while (open->n) {
		struct draft_item x = open->item[--open->n];

		if (x.undo)
			x.undo(w, self, &x);
		mem_free(x.kept);
	}
	if (open->size && open->touched)
		memcpy(state, open->state, open->size);
	w->box.top = 0;
	empty(open);
}

void draft_free(struct draft *d)
{
	if (!d)
		return;
	mem_free(d->item);
	mem_free(d->state);
	mem_free(d);
}
