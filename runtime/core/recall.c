/* SPDX-License-Identifier: MIT
 * recall.c - see recall.h.
 *
 * The idea: nothing is noted of what does well, as each message would pay for it; but what has
 * failed once may fail again. So from a failure on the calls of that type's handlers are looked at
 * (as for a trace), and the blocks of their messages copied as they are. An actor has a shelf of
 * places that few others share, so one in a flood takes nothing from most others.
 *
 * Threads: a lock for each shelf, a leaf. What is not there: the messages before a type's first
 * failure, and before the first of code that a patch brought. */
#include "recall.h"

#include "ports.h"

enum { SHELVES = 64, FOR_MS = 600000 };

struct shelf {
	spinlock lock;
	uint64_t n;                     /* ever noted; the last RECALLED_MOST of them are here */
	struct recalled place[RECALLED_MOST];
};
static _Atomic(struct shelf *) shelves; /* never freed */

static struct shelf *shelf_of(const struct actor *a)
{
	struct shelf *all = LOAD_ACQUIRE(&shelves);

	return all ? &all[cell_index(a) % SHELVES] : NULL;
}

static bool each(const struct type *t, const char *name)
{
	(void)t, (void)name;
	return true;
}

void recall_begin(struct type *t)
{
	struct shelf *none = NULL, *all;

	if (!LOAD(&shelves)) {
		all = mem_alloc(SHELVES * sizeof *all);
		if (!atomic_compare_exchange_strong(&shelves, &none, all))
			mem_free(all);
	}
	STORE(&t->recalled_until_ms, now_ms() + FOR_MS);
	type_look(t, ENTRY_RECALLED, each);
}

void recall_note(const struct actor *a, const struct msg *m, const struct entry *e)
{
	size_t size = sizeof *m << (m->flags & MSG_CLASS);
	bool whole = size <= RECALLED_BYTES && !(m->flags & MSG_HEAP);
	struct shelf *s = shelf_of(a);
	struct type *t = cell_type(a);
	int64_t now = now_ms();
	struct recalled *r;

	if (now > LOAD(&t->recalled_until_ms)) {
		type_look(t, ENTRY_RECALLED, NULL);
		return;
	}
	spin_lock(&s->lock);
	r = &s->place[s->n++ % RECALLED_MOST];
	r->cell = cell_id(a);
	r->from = m->from;
	r->at_ms = now;
	r->handler = e->name;
	r->was = m;
	memcpy(r->m, m, whole ? size : offsetof(struct msg, slot));
	if (!whole)
		((struct msg *)(void *)r->m)->n = 0;
	spin_unlock(&s->lock);
}

unsigned recall_before(const struct actor *a, const struct msg *m,
		       struct recalled out[RECALLED_MOST])
{
	struct shelf *s = shelf_of(a);
	unsigned n = 0;

	if (!s)
		return 0;
	spin_lock(&s->lock);
	for (uint64_t i = s->n > RECALLED_MOST ? s->n - RECALLED_MOST : 0; i < s->n; i++)
		if (s->place[i % RECALLED_MOST].cell == cell_id(a))
			out[n++] = s->place[i % RECALLED_MOST];
	spin_unlock(&s->lock);
	return n && out[n - 1].was == m ? n - 1 : n;
}

unsigned recall_args(const struct recalled *r, struct buf *out)
{
	const struct msg *m = (const void *)r->m;

	message_pack(m, 0, out);
	return m->n;
}
